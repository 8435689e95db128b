// Shows each digit that was read in a picture, in a box on the picture.

import { addArrowKeys } from "./focus.js";
import { percent } from "./format.js";

export class ReadingView {
  #element;
  #paint;
  #open;
  #isCurrent = false;

  /** `paint(canvas)` paints the picture. `open(digit, index, introduction)` shows one digit; `introduction` says which. */
  constructor(element, { paint, open }) {
    this.#element = element;
    this.#paint = paint;
    this.#open = open;
  }

  /** Show a reading with at least one digit, and open its first digit. */
  show(reading) {
    const digits = reading.lines.flatMap((line) => line.digits);
    const name = (index) => `Digit ${index + 1} of ${digits.length}`;
    const boxes = digits.map((digit, index) => this.#makeBox(reading, digit, index, name(index)));
    this.#find(".boxes").replaceChildren(...boxes);
    const rest = [...boxes];
    addArrowKeys(reading.lines.map((line) => rest.splice(0, line.digits.length)));
    this.#fit(reading);
    this.#isCurrent = true;
    this.#element.hidden = false;
    this.repaint();
    this.#select(boxes[0], digits[0], 0, `${describeReading(reading)} ${name(0)}`);
  }

  /** Keep what is shown, but open no more digits of it: its picture has changed. */
  expire() {
    this.#isCurrent = false;
  }

  hide() {
    this.#element.hidden = true;
  }

  /** Paint the picture again, in other colours. */
  repaint() {
    if (!this.#element.hidden) this.#paint(this.#find("canvas"));
  }

  /** Give the picture its proportions, and no more height than a screen has. */
  #fit({ width, height }) {
    const { style } = this.#find(".picture");
    style.aspectRatio = `${width} / ${height}`;
    style.maxWidth = `${(26 * width) / height}rem`;
  }

  #makeBox({ width, height }, digit, index, name) {
    const [left, top, boxWidth, boxHeight] = digit.box;
    const box = document.createElement("button");
    box.type = "button";
    box.dataset.text = digit.abstained ? "?" : digit.digit;
    box.setAttribute("aria-label", `${name}: ${describeDigit(digit)}`);
    box.addEventListener("click", () => this.#select(box, digit, index, name));
    const share = (length, whole) => `${(length / whole) * 100}%`;
    Object.assign(box.style, {
      left: share(left, width),
      top: share(top, height),
      width: share(boxWidth, width),
      height: share(boxHeight, height),
    });
    return box;
  }

  #select(selected, digit, index, introduction) {
    if (!this.#isCurrent) return;
    for (const box of this.#find(".boxes").children) box.setAttribute("aria-pressed", box === selected);
    this.#find(".selected").textContent = selected.getAttribute("aria-label");
    this.#open(digit, index, `${introduction}.`);
  }

  #find(selector) {
    return this.#element.querySelector(selector);
  }
}

const describeDigit = ({ digit, confidence, abstained }) => `${abstained ? "not sure, perhaps " : ""}${digit}, ${percent(confidence)}`;

function describeReading({ lines }) {
  const texts = lines.map(({ text }) => [...text].map((letter) => (letter === "?" ? "unsure" : letter)).join(" "));
  return `The picture shows the digits ${texts.join("; ")}.`;
}
