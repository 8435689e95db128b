// Asks people for the token that the service requires. Knows nothing of how the token is sent.

/** The form below the notice. It is hidden unless a token is needed. */
export class TokenForm {
  #element;
  #input;

  /** `use(token)` is called with the token that was entered. */
  constructor(element, use) {
    this.#element = element;
    this.#input = element.querySelector("input");
    element.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#element.hidden = true;
      use(this.#input.value.trim());
    });
  }

  /** Show the empty form, unless it is shown already. */
  ask() {
    if (!this.#element.hidden) return;
    this.#element.hidden = false;
    this.#input.value = "";
    this.#input.focus();
  }
}
