// Lets people correct a prediction. Knows nothing of how the service stores corrections.

import { aDigit } from "./format.js";

const LABELS = [...Array(10).keys(), "not_a_digit"];

/** The row of label buttons below the predictions. */
export class CorrectionForm {
  #element;
  #message;
  #buttons;
  #send;
  #offered = null; // {predictionId, note} of the prediction that can be corrected

  /** `send(predictionId, label)` stores a correction. It resolves to null, or to a message for people if it failed. */
  constructor(element, send) {
    this.#element = element;
    this.#send = send;
    this.#message = document.createElement("p");
    this.#message.setAttribute("role", "status");
    const row = document.createElement("div");
    row.setAttribute("role", "group");
    row.setAttribute("aria-label", "Correct label");
    this.#buttons = LABELS.map((label) => makeButton(row, label, () => this.#choose(label)));
    element.append(this.#message, row);
  }

  /**
   * Show the buttons for a prediction. It has no id if the service stores no corrections.
   *
   * `note(label)` is called with the label that was chosen.
   */
  offer(predictionId, note) {
    this.#offered = { predictionId, note };
    this.#element.hidden = false;
    const use = predictionId ? "Your correction is stored for training." : "Your correction is noted in the list of your pictures.";
    this.#message.textContent = `Wrong? Choose what it is. ${use}`;
    this.#enable(true);
  }

  hide() {
    this.#offered = null;
    this.#element.hidden = true;
  }

  async #choose(label) {
    const offered = this.#offered;
    this.#enable(false);
    const problem = offered.predictionId ? await this.#send(offered.predictionId, label) : null;
    if (!problem) offered.note(label);
    if (offered !== this.#offered) return;
    const text = label === "not_a_digit" ? "not a digit" : aDigit(label);
    this.#message.textContent = problem ?? `Thank you. ${offered.predictionId ? "Stored for training" : "Noted"} as ${text}.`;
    if (problem) this.#enable(true);
  }

  #enable(enabled) {
    for (const button of this.#buttons) button.disabled = !enabled;
  }
}

function makeButton(row, label, choose) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = label === "not_a_digit" ? "not a digit" : label;
  button.addEventListener("click", choose);
  row.append(button);
  return button;
}
