// What lies on the pad: strokes, or a picture. A drawing never changes, so that people can go back to an earlier one.
// All coordinates and widths are shares of the pad's side.

import { encode } from "./encode.js";

const EXPORT_SIDE = 280; // of the PNG file, in pixels
const PIXELATED = 64; // the longer side of a picture whose pixels are shown as squares

let count = 0; // of the drawings so far

/** `{id, strokes, picture}`: strokes `{width, points: [{x, y, pressure}], erases}`, or a picture `{blob, bitmap, name}`. */
export const EMPTY = { id: null, strokes: [], picture: null };

export const isEmpty = ({ strokes, picture }) => !strokes.length && !picture;

/** Return the drawing with one more stroke. A first stroke begins a drawing with an id of its own. */
export function addStroke({ id, strokes }, stroke) {
  return { id: strokes.length ? id : newId(), strokes: [...strokes, stroke], picture: null };
}

/** Return a drawing that is a picture. */
export const fromPicture = (picture) => ({ id: newId(), strokes: [], picture });

/** Return the file to be sent: the picture's own, or a PNG of the strokes, black on white. */
export function toPictureFile({ strokes, picture }) {
  if (picture) return picture.blob;
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = EXPORT_SIDE;
  const context = canvas.getContext("2d");
  paintStrokes(context, strokes, EXPORT_SIDE, "#000");
  context.globalCompositeOperation = "destination-over"; // the paper is below the strokes, which an eraser has opened
  context.fillStyle = "#fff";
  context.fillRect(0, 0, EXPORT_SIDE, EXPORT_SIDE);
  return encode(canvas, "image/png");
}

/** Paint a drawing into a square, strokes in the colour `ink`. */
export function paintDrawing(context, { strokes, picture }, side, ink) {
  if (picture?.bitmap) paintPicture(context, picture.bitmap, side);
  paintStrokes(context, strokes, side, ink);
}

/** Paint a whole picture, or a whole drawing, on a canvas in the picture's own proportions. */
export function paintWhole(canvas, { strokes, picture }, longerSide) {
  const { width, height } = picture?.bitmap ?? { width: 1, height: 1 };
  const scale = longerSide / Math.max(width, height);
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const context = canvas.getContext("2d");
  if (picture?.bitmap) context.drawImage(picture.bitmap, 0, 0, canvas.width, canvas.height);
  paintStrokes(context, strokes, longerSide, getComputedStyle(canvas).color);
}

function newId() {
  count += 1;
  return count;
}

function paintPicture(context, bitmap, side) {
  const scale = side / Math.max(bitmap.width, bitmap.height);
  const [width, height] = [bitmap.width * scale, bitmap.height * scale];
  context.imageSmoothingEnabled = Math.max(bitmap.width, bitmap.height) > PIXELATED;
  context.drawImage(bitmap, (side - width) / 2, (side - height) / 2, width, height);
}

function paintStrokes(context, strokes, side, ink) {
  context.lineCap = context.lineJoin = "round";
  context.strokeStyle = context.fillStyle = ink;
  for (const stroke of strokes) {
    context.globalCompositeOperation = stroke.erases ? "destination-out" : "source-over";
    paintStroke(context, stroke, side);
  }
  context.globalCompositeOperation = "source-over";
}

function paintStroke(context, { width, points }, side) {
  const [{ x, y, pressure }] = points;
  context.beginPath();
  context.arc(x * side, y * side, (width * side * pressure) / 2, 0, 2 * Math.PI); // a line without a length is no dot
  context.fill();
  const isEven = points.every((point) => point.pressure === pressure);
  // One line has smooth edges, but a single width: with a pen, each piece is a line of its own.
  const lines = isEven ? [points] : points.slice(1).map((point, index) => [points[index], point]);
  for (const line of lines) {
    context.lineWidth = width * side * line.at(-1).pressure;
    context.beginPath();
    for (const point of line) context.lineTo(point.x * side, point.y * side);
    context.stroke();
  }
}
