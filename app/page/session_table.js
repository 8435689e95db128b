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

  /** Unfold the table, and show a message about files that are being read, or none for an empty text. */
  showProgress(message) {
    this.#element.querySelector(".progress").textContent = message;
    if (!this.#element.hidden && this.#element.open) return;
    this.#element.hidden = false;
    this.#element.open = true;
    this.#element.scrollIntoView();
  }

  #render() {
    const { entries } = this.#session;
    this.#element.hidden = !entries.length;
    this.#element.querySelector(".count").textContent = entries.length;
    this.#element.querySelector("tbody").replaceChildren(...entries.map((entry) => this.#makeRow(entry)));
  }

  #makeRow(entry) {
    const row = document.createElement("tr");
    const button = Object.assign(document.createElement("button"), { type: "button", className: "again" });
    button.setAttribute("aria-label", `Show ${entry.name} again`);
    button.append(entry.seen ? Object.assign(new Image(28, 28), { src: entry.seen, alt: "" }) : "?");
    button.addEventListener("click", () => this.#open(entry.drawing));
    row.insertCell().append(button);
    if (entry.problem) {
      Object.assign(row.insertCell(), { textContent: entry.problem, colSpan: 3, className: "problem" });
      return row;
    }
    row.insertCell().textContent = entry.name;
    const answer = Object.assign(row.insertCell(), { textContent: entry.answer || "blank", className: "answer-cell" });
    if (entry.corrections.size) answer.append(small(`corrected: ${correctionText(entry)}`));
    const confidence = row.insertCell();
    if (entry.answer) confidence.textContent = percent(entry.confidence);
    if (entry.answer && entry.abstained) confidence.append(small("not sure"));
    return row;
  }

  #download() {
    const href = `data:text/csv;charset=utf-8,${encodeURIComponent(this.#session.toCsv())}`;
    Object.assign(document.createElement("a"), { href, download: "digitserve.csv" }).click();
  }
}

const small = (text) => Object.assign(document.createElement("small"), { textContent: text });
