// The answer in short, below the pad: the digit or the number, how sure it is, and what is in doubt.

import { copy } from "./clipboard.js";
import { aDigit, percent, reasonText } from "./format.js";
import { announce } from "./notice.js";

export class AnswerView {
  #element;

  constructor(element) {
    this.#element = element;
    this.#find("button").addEventListener("click", () => this.#copy());
  }

  /** Show the prediction of one digit. */
  show({ digit, confidence, abstained, reason }) {
    if (reason === "blank") return this.#set("none", "–", "Nothing to see", reasonText(reason));
    if (!abstained) return this.#set("predicted", digit, `This is ${aDigit(digit)}`, `${percent(confidence)} sure`);
    return this.#set("abstained", digit, "Not sure", `Perhaps ${aDigit(digit)}: ${percent(confidence)}. ${reasonText(reason)}`);
  }

  /** Show all digits that were read in a picture. */
  showReading(reading) {
    const digits = reading.lines.flatMap((line) => line.digits);
    const unclear = digits.filter(({ abstained }) => abstained).length;
    const least = digits.reduce((one, other) => (other.confidence < one.confidence ? other : one));
    const doubt = unclear
      ? `A question mark stands for a digit that is not clear: ${unclear} of ${digits.length}.`
      : `Each is at least ${percent(least.confidence)} sure.`;
    const rest = reading.truncated ? " The picture has more digits than these." : "";
    this.#set(unclear ? "abstained" : "predicted", reading.text, `${digits.length} ${digits.length === 1 ? "digit" : "digits"}.`, doubt + rest);
    this.#element.dataset.kind = "number";
    this.#find("button").hidden = false;
  }

  hide() {
    this.#element.hidden = true;
  }

  #set(state, text, headline, details) {
    Object.assign(this.#element.dataset, { state, kind: "digit" });
    this.#element.hidden = false;
    this.#find(".text").textContent = text;
    this.#find("strong").textContent = headline;
    this.#find(".details").textContent = details;
    this.#find("button").hidden = true;
  }

  async #copy() {
    const text = this.#find(".text");
    const isCopied = await copy(text.textContent);
    if (!isCopied) getSelection().selectAllChildren(text);
    const message = isCopied ? "Copied." : "The browser does not allow copying. The number is selected: press Ctrl+C or ⌘C.";
    this.#find(".details").textContent = message;
    announce(message);
  }

  #find(selector) {
    return this.#element.querySelector(selector);
  }
}
