// The drawing pad: strokes by mouse, finger, pen or keyboard, or a picture laid on it. Knows nothing of the service.

import { encode } from "./encode.js";

const EXPORT_SIDE = 280;
const KEY_STEP = 0.04; // of the pad's side
const FINE_STEP = 0.01;
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const EMPTY = { strokes: [], picture: null };

/**
 * A canvas that is drawn on. It dispatches `change` when there is something else on it, and `pen` with `detail` "down"
 * or "up" when the keyboard moves the pen's tip. All places are shares of the pad's side.
 */
export class Pad extends EventTarget {
  #canvas;
  #context;
  #history = [EMPTY];
  #stroke = null; // being drawn: {width, points: [{x, y, pressure}]}
  #pointer = null;
  #cursor = null; // where the keyboard holds the pen

  constructor(canvas) {
    super();
    this.penWidth = 0.08;
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d");
    canvas.addEventListener("pointerdown", (event) => this.#press(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", (event) => this.#lift(event));
    canvas.addEventListener("pointercancel", (event) => this.#lift(event));
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("blur", () => this.#leave());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#render());
  }

  get isEmpty() {
    const { strokes, picture } = this.#now;
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
    if (!this.isEmpty) this.#put(EMPTY);
  }

  /** Whether what is on the pad can be seen: a browser cannot show every type of picture that the server reads. */
  get isShown() {
    return this.#now.picture?.bitmap !== null;
  }

  /** Lay a picture on the pad: the blob that is to be read, and its bitmap to be shown, or null. */
  show(blob, bitmap) {
    this.#put({ strokes: [], picture: { blob, bitmap } });
  }

  /** What is to be read: the picture as it came, or the strokes as a PNG, dark on white; null if there is nothing. */
  content() {
    const { strokes, picture } = this.#now;
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

  get #now() {
    return this.#history.at(-1);
  }

  #put(content) {
    this.#history.push(content);
    this.#changed();
  }

  #changed() {
    this.#render();
    this.dispatchEvent(new Event("change"));
  }

  #press(event) {
    if (this.#pointer !== null || event.button !== 0) return;
    this.#leave();
    this.#pointer = event.pointerId;
    this.#canvas.setPointerCapture(event.pointerId);
    this.#begin(this.#place(event));
  }

  #move(event) {
    if (event.pointerId !== this.#pointer) return;
    const moves = event.getCoalescedEvents?.() ?? [];
    (moves.length ? moves : [event]).forEach((move) => this.#stroke.points.push(this.#place(move)));
    this.#render();
  }

  #lift(event) {
    if (event.pointerId !== this.#pointer) return;
    this.#pointer = null;
    this.#end();
  }

  #place(event) {
    const box = this.#canvas.getBoundingClientRect();
    // A mouse reports half pressure whatever it does, and a finger is no better; a pen means it.
    const pressure = event.pointerType === "pen" ? 0.4 + 1.2 * event.pressure : 1;
    return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height, pressure };
  }

  #begin(point) {
    this.#stroke = { width: this.penWidth, points: [point] };
    this.dispatchEvent(new Event("begin"));
    this.#render();
  }

  #end() {
    const stroke = this.#stroke;
    this.#stroke = null;
    this.#put({ strokes: [...this.#now.strokes, stroke], picture: null });
  }

  #key(event) {
    const move = MOVES[event.key];
    const isPen = event.key === " " || event.key === "Enter";
    if ((!move && !isPen) || this.#pointer !== null || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.#cursor ??= { x: 0.5, y: 0.3, pressure: 1 };
    if (move) this.#step(move, event.shiftKey ? FINE_STEP : KEY_STEP);
    else if (!event.repeat) this.#toggle();
    this.#render();
  }

  #step([right, down], step) {
    const within = (value) => Math.min(Math.max(value, 0), 1);
    this.#cursor = { x: within(this.#cursor.x + right * step), y: within(this.#cursor.y + down * step), pressure: 1 };
    this.#stroke?.points.push(this.#cursor);
  }

  #toggle() {
    this.dispatchEvent(new CustomEvent("pen", { detail: this.#stroke ? "up" : "down" }));
    if (this.#stroke) this.#end();
    else this.#begin(this.#cursor);
  }

  #leave() {
    if (this.#pointer !== null) return;
    this.#cursor = null;
    if (this.#stroke) this.#end();
    else this.#render();
  }

  #render() {
    const { width: side } = this.#canvas;
    const { strokes, picture } = this.#now;
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
