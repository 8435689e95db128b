// The folded section with the call of the service for the picture on the pad.

import { makeCalls } from "./calls.js";
import { copy } from "./clipboard.js";
import { announce } from "./notice.js";

const MAX_BYTES = 12_000; // of a picture that is written into the code

export class CallView {
  #element;
  #call = null; // {picture, name, route, needsToken}

  constructor(element) {
    this.#element = element;
    element.addEventListener("toggle", () => this.#render());
  }

  /** Show the call for a picture, a `Blob`, of a file with this name, at a route of the service. */
  show(picture, name, route, needsToken) {
    this.#call = { picture, name, route, needsToken };
    this.#element.hidden = false;
    this.#render();
  }

  hide() {
    this.#call = null;
    this.#element.hidden = true;
  }

  async #render() {
    const call = this.#call;
    if (!call || !this.#element.open) return;
    const { picture, name, route, needsToken } = call;
    const base64 = picture.size > MAX_BYTES ? null : toBase64(await picture.arrayBuffer());
    if (call !== this.#call) return;
    const address = new URL(route, document.baseURI).href;
    const calls = makeCalls({ address, type: picture.type || "application/octet-stream", name, base64, needsToken });
    this.#element.querySelector(".calls").replaceChildren(...calls.map(([title, code]) => this.#makeBlock(title, code)));
  }

  #makeBlock(title, code) {
    const block = document.createElement("section");
    const heading = Object.assign(document.createElement("h3"), { textContent: title });
    const text = Object.assign(document.createElement("pre"), { textContent: code, tabIndex: 0 });
    text.setAttribute("role", "region");
    text.setAttribute("aria-label", title);
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: "Copy" });
    button.setAttribute("aria-label", `Copy: ${title}`);
    button.addEventListener("click", async () => {
      const isCopied = await copy(code);
      if (!isCopied) getSelection().selectAllChildren(text);
      button.textContent = isCopied ? "Copied" : "Selected";
      announce(isCopied ? "Copied." : "The code is selected: press Ctrl+C or ⌘C.");
    });
    block.append(heading, button, text);
    return block;
  }
}

function toBase64(buffer) {
  return btoa(String.fromCharCode(...new Uint8Array(buffer)));
}
