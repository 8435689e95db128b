// Asks people for the token, where the service wants one. Knows nothing of what it is good for.

/** The form under the notice; it is there only from when a token was asked for until one is given. */
export class TokenForm {
  #element;
  #input;

  /** `use(token)` takes what was typed. */
  constructor(element, use) {
    this.#element = element;
    this.#input = element.querySelector("input");
    element.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#element.hidden = true;
      use(this.#input.value.trim());
    });
  }

  /** Ask for it, and once more if what was given is not the right one. */
  ask() {
    if (!this.#element.hidden) return;
    this.#element.hidden = false;
    this.#input.value = "";
    this.#input.focus();
  }
}
