// The drawing pad: strokes by mouse, finger, pen or keyboard, or a picture. Knows nothing of the service.

import { encode } from "./encode.js";

const EXPORT_SIDE = 280; // of the PNG file, in pixels
const PAINTED_SIDE = 1200; // the longer side of a painted copy, in pixels
const KEY_STEP = 0.04; // of the pad's side
const FINE_STEP = 0.01;
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const EMPTY = { strokes: [], picture: null };

/**
 * A canvas to draw on. It dispatches `begin` when a stroke begins, `change` when its content has changed, and `pen` with
 * `detail` "down" or "up" when the keyboard lowers or lifts the pen. All coordinates are shares of the pad's side.
 */
export class Pad extends EventTarget {
  #canvas;
  #context;
  #history = [EMPTY];
  #stroke = null; // the one in progress: {width, points: [{x, y, pressure}]}
  #pointer = null; // the id of the pointer that draws it
  #cursor = null; // the position of the keyboard's pen

  constructor(canvas) {
    super();
    this.penWidth = 0.08;
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d");
    canvas.addEventListener("pointerdown", (event) => this.#pointerDown(event));
    canvas.addEventListener("pointermove", (event) => this.#pointerMove(event));
    canvas.addEventListener("pointerup", (event) => this.#pointerUp(event));
    canvas.addEventListener("pointercancel", (event) => this.#pointerUp(event));
    canvas.addEventListener("keydown", (event) => this.#keyDown(event));
    canvas.addEventListener("blur", () => this.#removeCursor());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#render());
  }

  get isEmpty() {
    const { strokes, picture } = this.#content;
    return !strokes.length && !picture && !this.#stroke;
  }

  get canUndo() {
    return this.#history.length > 1;
  }

  undo() {
    if (!this.canUndo) return;
    this.#history.pop();
    this.#changed();
  }

  clear() {
    if (!this.isEmpty) this.#push(EMPTY);
  }

  /** Whether the content is visible: a browser cannot show every file format that the server supports. */
  get isShown() {
    return this.#content.picture?.bitmap !== null;
  }

  /** Replace the content by a picture: its file, and its bitmap, or null if the browser cannot show it. */
  show(blob, bitmap) {
    this.#push({ strokes: [], picture: { blob, bitmap } });
  }

  /** Return the file to be sent: the picture's own, or a PNG of the strokes, black on white; null for an empty pad. */
  picture() {
    const { strokes, picture } = this.#content;
    if (picture) return picture.blob;
    if (!strokes.length) return null;
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = EXPORT_SIDE;
    const context = canvas.getContext("2d");
    context.fillStyle = "#fff";
    context.fillRect(0, 0, EXPORT_SIDE, EXPORT_SIDE);
    strokes.forEach((stroke) => drawStroke(context, stroke, EXPORT_SIDE, "#000"));
    return encode(canvas, "image/png");
  }

  /** Paint the content on another canvas, which gets the proportions of the picture. */
  paintOn(canvas) {
    const { strokes, picture } = this.#content;
    const { width, height } = picture?.bitmap ?? { width: 1, height: 1 };
    const scale = PAINTED_SIDE / Math.max(width, height);
    canvas.width = Math.max(1, Math.round(width * scale));
    canvas.height = Math.max(1, Math.round(height * scale));
    const context = canvas.getContext("2d");
    if (picture?.bitmap) context.drawImage(picture.bitmap, 0, 0, canvas.width, canvas.height);
    else strokes.forEach((stroke) => drawStroke(context, stroke, PAINTED_SIDE, getComputedStyle(this.#canvas).color));
  }

  get #content() {
    return this.#history.at(-1);
  }

  #push(content) {
    this.#history.push(content);
    this.#changed();
  }

  #changed() {
    this.#render();
    this.dispatchEvent(new Event("change"));
  }

  #pointerDown(event) {
    if (this.#pointer !== null || event.button !== 0) return;
    this.#removeCursor();
    this.#pointer = event.pointerId;
    this.#canvas.setPointerCapture(event.pointerId);
    this.#beginStroke(this.#pointAt(event));
  }

  #pointerMove(event) {
    if (event.pointerId !== this.#pointer) return;
    const moves = event.getCoalescedEvents?.() ?? [];
    (moves.length ? moves : [event]).forEach((move) => this.#stroke.points.push(this.#pointAt(move)));
    this.#render();
  }

  #pointerUp(event) {
    if (event.pointerId !== this.#pointer) return;
    this.#pointer = null;
    this.#endStroke();
  }

  #pointAt(event) {
    const box = this.#canvas.getBoundingClientRect();
    // Only a pen measures its pressure. A mouse always reports 0.5, and a finger a constant or an arbitrary value.
    const pressure = event.pointerType === "pen" ? 0.4 + 1.2 * event.pressure : 1;
    return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height, pressure };
  }

  #beginStroke(point) {
    this.#stroke = { width: this.penWidth, points: [point] };
    this.dispatchEvent(new Event("begin"));
    this.#render();
  }

  #endStroke() {
    const stroke = this.#stroke;
    this.#stroke = null;
    this.#push({ strokes: [...this.#content.strokes, stroke], picture: null });
  }

  #keyDown(event) {
    const move = MOVES[event.key];
    const isPen = event.key === " " || event.key === "Enter";
    if ((!move && !isPen) || this.#pointer !== null || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.#cursor ??= { x: 0.5, y: 0.3, pressure: 1 };
    if (move) this.#moveCursor(move, event.shiftKey ? FINE_STEP : KEY_STEP);
    else if (!event.repeat) this.#togglePen();
    this.#render();
  }

  #moveCursor([right, down], step) {
    const within = (value) => Math.min(Math.max(value, 0), 1);
    this.#cursor = { x: within(this.#cursor.x + right * step), y: within(this.#cursor.y + down * step), pressure: 1 };
    this.#stroke?.points.push(this.#cursor);
  }

  #togglePen() {
    this.dispatchEvent(new CustomEvent("pen", { detail: this.#stroke ? "up" : "down" }));
    if (this.#stroke) this.#endStroke();
    else this.#beginStroke(this.#cursor);
  }

  #removeCursor() {
    if (this.#pointer !== null) return;
    this.#cursor = null;
    if (this.#stroke) this.#endStroke();
    else this.#render();
  }

  #render() {
    const { width: side } = this.#canvas;
    const { strokes, picture } = this.#content;
    const ink = getComputedStyle(this.#canvas).color;
    this.#context.clearRect(0, 0, side, side);
    if (this.#stroke) [...strokes, this.#stroke].forEach((stroke) => drawStroke(this.#context, stroke, side, ink));
    else if (picture?.bitmap) drawPicture(this.#context, picture.bitmap, side);
    else strokes.forEach((stroke) => drawStroke(this.#context, stroke, side, ink));
    if (this.#cursor) drawCursor(this.#context, this.#cursor, this.penWidth, side, ink, Boolean(this.#stroke));
  }
}

function drawStroke(context, { width, points }, side, ink) {
  context.lineCap = context.lineJoin = "round";
  context.strokeStyle = ink;
  points.forEach((point, index) => {
    const from = points[Math.max(index - 1, 0)];
    context.lineWidth = width * side * point.pressure;
    context.beginPath();
    context.moveTo(from.x * side, from.y * side);
    context.lineTo(point.x * side, point.y * side);
    context.stroke();
  });
}

function drawPicture(context, bitmap, side) {
  const scale = side / Math.max(bitmap.width, bitmap.height);
  const [width, height] = [bitmap.width * scale, bitmap.height * scale];
  context.drawImage(bitmap, (side - width) / 2, (side - height) / 2, width, height);
}

function drawCursor(context, { x, y }, penWidth, side, ink, isDown) {
  context.strokeStyle = ink;
  context.lineWidth = isDown ? 6 : 3;
  context.beginPath();
  context.arc(x * side, y * side, (penWidth * side) / 2 + 6, 0, 2 * Math.PI);
  context.stroke();
}
