// The card that shows what one model reads.

import { percent, reason } from "./words.js";

export class AnswerCard {
  #element;
  #rows;

  constructor(element) {
    this.#element = element;
    const list = element.querySelector(".bars");
    this.#rows = Array.from({ length: 10 }, (_, digit) => makeRow(list, digit));
  }

  /** Show a prediction. */
  show({ digit, confidence, probabilities, abstained, reason: why }) {
    this.#element.dataset.state = abstained ? "abstained" : "answered";
    this.#find(".digit").textContent = digit;
    this.#find(".words").replaceChildren(
      ...(abstained
        ? [strong("Not sure"), `${reason(why)} Best guess: ${digit}, ${percent(confidence)}.`]
        : [strong(percent(confidence, 2)), `sure that it is a ${digit}`]),
    );
    this.#setBars(probabilities, digit);
  }

  /** Show that there is nothing to answer, or that there is no answer. */
  reset(words) {
    delete this.#element.dataset.state;
    this.#find(".digit").textContent = "–";
    this.#find(".words").textContent = words;
    this.#setBars(Array(10).fill(0), -1);
  }

  #setBars(probabilities, best) {
    this.#rows.forEach(({ row, bar, share }, digit) => {
      row.classList.toggle("best", digit === best);
      bar.style.transform = `scaleX(${probabilities[digit]})`;
      share.textContent = best < 0 ? "" : percent(probabilities[digit]);
    });
  }

  #find(selector) {
    return this.#element.querySelector(selector);
  }
}

/** What a prediction is in one sentence, for those who hear the page. */
export function say(name, { digit, confidence, abstained, reason: why }) {
  return abstained
    ? `${name} is not sure. ${reason(why)} Best guess: ${digit}.`
    : `${name} reads ${digit}, ${percent(confidence)} sure.`;
}

function makeRow(list, digit) {
  const row = document.createElement("li");
  const label = element("span", "label", digit);
  const track = element("span", "track");
  const bar = element("span", "bar");
  const share = element("span", "share");
  track.append(bar);
  row.append(label, track, share);
  list.append(row);
  return { row, bar, share };
}

function element(tag, class_, text = "") {
  const made = document.createElement(tag);
  made.className = class_;
  made.textContent = text;
  return made;
}

const strong = (text) => element("strong", "", text);
