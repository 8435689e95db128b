// The card that shows the prediction of one model.

import { aDigit, percent, reasonText } from "./format.js";

export class PredictionCard {
  #element;
  #rows;

  /** `element` is a copy of the template. `name` and `title` are those of the model. */
  constructor(element, { name, title }) {
    this.#element = element;
    element.dataset.model = name;
    const heading = element.querySelector("h2");
    heading.textContent = title;
    heading.id = `${encodeURIComponent(name)}-title`;
    element.setAttribute("aria-labelledby", heading.id);
    const list = element.querySelector(".bars");
    this.#rows = Array.from({ length: 10 }, (_, digit) => makeRow(list, digit));
  }

  /** Show a prediction. */
  show({ digit, confidence, probabilities, abstained, reason }) {
    this.#element.dataset.state = abstained ? "abstained" : "predicted";
    this.#find(".digit").textContent = digit;
    this.#find("strong").textContent = abstained ? "Not sure" : `${percent(confidence)} sure`;
    this.#find(".details").textContent = abstained ? `Perhaps ${aDigit(digit)}: ${percent(confidence)}. ${reasonText(reason)}` : "";
    this.#setBars(probabilities, digit);
  }

  #setBars(probabilities, predicted) {
    this.#rows.forEach(({ row, bar, share }, digit) => {
      row.classList.toggle("best", digit === predicted);
      bar.style.transform = `scaleX(${probabilities[digit]})`;
      share.textContent = percent(probabilities[digit]);
    });
  }

  #find(selector) {
    return this.#element.querySelector(selector);
  }
}

/** Describe a prediction in a sentence, for screen readers. */
export function describePrediction(name, { digit, confidence, abstained, reason }) {
  return abstained
    ? `${name} is not sure. ${reasonText(reason)} Perhaps ${aDigit(digit)}.`
    : `${name} predicts ${digit} with ${percent(confidence)} confidence.`;
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
