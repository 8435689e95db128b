// Shows all digits that were read in a picture: the number as text, and each digit in its box on the picture.

import { addArrowKeys } from "./focus.js";
import { percent } from "./format.js";

export class ReadingView {
  #element;
  #paint;
  #open;
  #announce;
  #isCurrent = false;

  /**
   * `paint(canvas)` paints the picture. `open(digit, introduction)` shows the prediction of one digit, and `introduction`
   * says which one it is. `announce(message)` tells screen readers a message.
   */
  constructor(element, { paint, open, announce }) {
    this.#element = element;
    this.#paint = paint;
    this.#open = open;
    this.#announce = announce;
    this.#find("button").addEventListener("click", () => this.#copy());
  }

  /** Show a reading with at least one digit, and open its first digit. */
  show(reading) {
    const digits = reading.lines.flatMap((line) => line.digits);
    const boxes = digits.map((digit, index) => this.#makeBox(reading, digit, `Digit ${index + 1} of ${digits.length}`));
    this.#find(".text").textContent = reading.text;
    this.#find(".copied").textContent = "";
    this.#find(".note").textContent = describeLimits(reading);
    this.#find(".boxes").replaceChildren(...boxes);
    const rest = [...boxes];
    addArrowKeys(reading.lines.map((line) => rest.splice(0, line.digits.length)));
    this.#fit(reading);
    this.#isCurrent = true;
    this.#element.hidden = false;
    this.repaint();
    this.#select(boxes[0], digits[0], `${describeReading(reading)} Digit 1 of ${digits.length}`);
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

  #makeBox({ width, height }, digit, name) {
    const [left, top, boxWidth, boxHeight] = digit.box;
    const box = document.createElement("button");
    box.type = "button";
    box.dataset.text = digit.abstained ? "?" : digit.digit;
    box.setAttribute("aria-label", `${name}: ${describeDigit(digit)}`);
    box.addEventListener("click", () => this.#select(box, digit, name));
    const share = (length, whole) => `${(length / whole) * 100}%`;
    Object.assign(box.style, {
      left: share(left, width),
      top: share(top, height),
      width: share(boxWidth, width),
      height: share(boxHeight, height),
    });
    return box;
  }

  #select(selected, digit, introduction) {
    if (!this.#isCurrent) return;
    for (const box of this.#find(".boxes").children) box.setAttribute("aria-pressed", box === selected);
    this.#find(".selected").textContent = selected.getAttribute("aria-label");
    this.#open(digit, `${introduction}.`);
  }

  async #copy() {
    const text = this.#find(".text");
    let message = "Copied.";
    try {
      await navigator.clipboard.writeText(text.textContent);
    } catch {
      // Browsers have no clipboard for a page that was not sent over HTTPS or by the same machine.
      getSelection().selectAllChildren(text);
      message = "The browser does not allow copying. The number is selected: press Ctrl+C or ⌘C.";
    }
    this.#find(".copied").textContent = message;
    this.#announce(message);
  }

  #find(selector) {
    return this.#element.querySelector(selector);
  }
}

const describeDigit = ({ digit, confidence, abstained }) => `${abstained ? "not sure, perhaps " : ""}${digit}, ${percent(confidence, 0)}`;

function describeReading({ lines }) {
  const texts = lines.map(({ text }) => [...text].map((letter) => (letter === "?" ? "unsure" : letter)).join(" "));
  return `The picture shows the digits ${texts.join("; ")}.`;
}

function describeLimits({ text, truncated }) {
  const unsure = text.includes("?") ? "A question mark stands for a digit that is not reliable." : "";
  const rest = truncated ? "The picture has more digits than these." : "";
  return [unsure, rest].filter(Boolean).join(" ");
}
