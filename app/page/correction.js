// Lets people say what an answer should have been. Knows nothing of how the service keeps it.

const CHOICES = [...Array(10).keys(), "not_a_digit"];

/** The row of buttons under the answers; it is there only for answers that can be corrected. */
export class Correction {
  #element;
  #words;
  #buttons;
  #predictionId = null;

  /** `send(predictionId, label)` stores a correction, and raises an error that says what went wrong if it cannot. */
  constructor(element, send) {
    this.#element = element;
    this.#words = document.createElement("p");
    this.#words.setAttribute("role", "status");
    const row = document.createElement("div");
    row.setAttribute("role", "group");
    row.setAttribute("aria-label", "What it was");
    this.#buttons = CHOICES.map((label) => makeButton(row, label, () => this.#choose(label, send)));
    element.append(this.#words, row);
  }

  /** Offer to correct an answer, or nothing where it has no id. */
  offer(predictionId) {
    this.#predictionId = predictionId ?? null;
    this.#element.hidden = !predictionId;
    this.#words.textContent = "Read wrong? Say what it was, to be learnt from:";
    this.#allow(true);
  }

  async #choose(label, send) {
    const id = this.#predictionId;
    this.#allow(false);
    let words = `Thank you. Kept as ${label === "not_a_digit" ? "no digit" : `a ${label}`}, to be learnt from.`;
    try {
      await send(id, label);
    } catch (error) {
      words = error.message;
      if (id === this.#predictionId) this.#allow(true);
    }
    if (id === this.#predictionId) this.#words.textContent = words;
  }

  #allow(allowed) {
    for (const button of this.#buttons) button.disabled = !allowed;
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
