// Lets people correct a prediction. Knows nothing of how the service stores corrections.

const LABELS = [...Array(10).keys(), "not_a_digit"];

/** The row of label buttons below the predictions. It is hidden unless the prediction can be corrected. */
export class CorrectionForm {
  #element;
  #message;
  #buttons;
  #predictionId = null;

  /** `send(predictionId, label)` stores a correction. If it fails, it throws an error with a message for people. */
  constructor(element, send) {
    this.#element = element;
    this.#message = document.createElement("p");
    this.#message.setAttribute("role", "status");
    const row = document.createElement("div");
    row.setAttribute("role", "group");
    row.setAttribute("aria-label", "Correct label");
    this.#buttons = LABELS.map((label) => makeButton(row, label, () => this.#choose(label, send)));
    element.append(this.#message, row);
  }

  /** Show the buttons for a prediction. Hide them if it has no id: then the service stores no corrections. */
  offer(predictionId) {
    this.#predictionId = predictionId ?? null;
    this.#element.hidden = !predictionId;
    this.#message.textContent = "Is the prediction wrong? Choose the correct label. It is stored for training.";
    this.#enable(true);
  }

  async #choose(label, send) {
    const id = this.#predictionId;
    this.#enable(false);
    let message = `Thank you. Stored for training as ${label === "not_a_digit" ? "not a digit" : `a ${label}`}.`;
    try {
      await send(id, label);
    } catch (error) {
      message = error.message;
      if (id === this.#predictionId) this.#enable(true);
    }
    if (id === this.#predictionId) this.#message.textContent = message;
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
