// The drawing pad: strokes by mouse, finger, pen or keyboard, or a picture. Knows nothing of the service.

import { addStroke, EMPTY, isEmpty, paintDrawing } from "./drawing.js";

const KEY_STEP = 0.04; // of the pad's side
const FINE_STEP = 0.01;
const ERASER = 1.8; // its width, in widths of the pen
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * A canvas to draw on. It dispatches `begin` when a stroke begins, `change` when its drawing has changed, and `pen` with
 * `detail` "down" or "up" when the keyboard lowers or lifts the pen. All coordinates are shares of the pad's side.
 */
export class Pad extends EventTarget {
  #canvas;
  #context;
  #history = [EMPTY];
  #stroke = null; // the one in progress: {width, points: [{x, y, pressure}], erases}
  #pointer = null; // the id of the pointer that draws it
  #cursor = null; // the position of the keyboard's pen

  constructor(canvas) {
    super();
    this.penWidth = 0.08;
    this.erases = false;
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

  /** The drawing on the pad, without a stroke that is in progress. */
  get drawing() {
    return this.#history.at(-1);
  }

  get isDrawing() {
    return this.#stroke !== null;
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
    if (!isEmpty(this.drawing)) this.show(EMPTY);
  }

  /** Put another drawing on the pad. */
  show(drawing) {
    this.#history.push(drawing);
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
    const erases = this.erases && this.drawing.strokes.length > 0;
    this.#stroke = { width: this.penWidth * (erases ? ERASER : 1), points: [point], erases };
    this.dispatchEvent(new Event("begin"));
    this.#render();
  }

  #endStroke() {
    const stroke = this.#stroke;
    this.#stroke = null;
    this.show(addStroke(this.drawing, stroke));
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
    const ink = getComputedStyle(this.#canvas).color;
    this.#context.clearRect(0, 0, side, side);
    const shown = this.#stroke ? addStroke(this.drawing, this.#stroke) : this.drawing;
    paintDrawing(this.#context, shown, side, ink);
    if (this.#cursor) drawCursor(this.#context, this.#cursor, this.penWidth, side, ink, this.isDrawing);
  }
}

function drawCursor(context, { x, y }, penWidth, side, ink, isDown) {
  context.strokeStyle = ink;
  context.lineWidth = isDown ? 6 : 3;
  context.beginPath();
  context.arc(x * side, y * side, (penWidth * side) / 2 + 6, 0, 2 * Math.PI);
  context.stroke();
}
