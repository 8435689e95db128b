// Shows the pictures of this session as a table.

import { percent } from "./format.js";
import { correctionText } from "./session.js";

export class SessionTable {
  #element;
  #session;
  #open;

  /** `open(drawing)` is called with the drawing that was chosen. */
  constructor(element, session, open) {
    this.#element = element;
    this.#session = session;
    this.#open = open;
    session.addEventListener("change", () => this.#render());
    element.querySelector(".download").addEventListener("click", () => this.#download());
  }

  /** Unfold the table and bring it into view. */
  reveal() {
    this.#element.hidden = false;
    this.#element.open = true;
    this.#element.scrollIntoView({ block: "start" });
  }

  /** Show how many files have still to be read, or nothing for an empty text. */
  set progress(text) {
    this.#element.querySelector(".progress").textContent = text;
  }

  #render() {
    const { entries } = this.#session;
    this.#element.hidden = !entries.length;
    this.#element.querySelector(".count").textContent = entries.length;
    const body = this.#element.querySelector("tbody");
    body.replaceChildren(...entries.toReversed().map((entry) => this.#makeRow(entry)));
  }

  #makeRow(entry) {
    const row = document.createElement("tr");
    const button = document.createElement("button");
    button.type = "button";
    button.className = "again";
    button.setAttribute("aria-label", `Show ${entry.name} again`);
    if (entry.seen) button.append(Object.assign(new Image(28, 28), { src: entry.seen, alt: "" }));
    button.addEventListener("click", () => this.#open(entry.drawing));
    row.insertCell().append(button);
    row.insertCell().append(Object.assign(document.createElement("span"), { textContent: entry.name, title: entry.name }));
    if (entry.problem) {
      Object.assign(row.insertCell(), { textContent: entry.problem, colSpan: 3, className: "problem" });
      return row;
    }
    const answer = Object.assign(row.insertCell(), { textContent: entry.answer || "blank", className: "answer-cell" });
    row.insertCell().textContent = entry.answer ? `${percent(entry.confidence)}${entry.abstained ? " not sure" : ""}` : "";
    row.insertCell().textContent = correctionText(entry);
    answer.classList.toggle("unsure", entry.abstained);
    return row;
  }

  #download() {
    const href = `data:text/csv;charset=utf-8,${encodeURIComponent(this.#session.toCsv())}`;
    Object.assign(document.createElement("a"), { href, download: "digitserve.csv" }).click();
  }
}
