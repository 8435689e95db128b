// All that is shown of an answer: the answer in short, the cards of the models, and what explains it.

import { AnswerView } from "./answer.js";
import { CallView } from "./call_view.js";
import { copy } from "./clipboard.js";
import { CorrectionForm } from "./correction.js";
import { paintWhole } from "./drawing.js";
import { toFile } from "./encode.js";
import { Explanation } from "./explanation.js";
import { linkTo } from "./link.js";
import { announce } from "./notice.js";
import { describePrediction, PredictionCard } from "./prediction.js";
import { loadInk, paintInk } from "./raster.js";
import { ReadingView } from "./reading.js";
import * as service from "./service.js";

const find = (selector) => document.querySelector(selector);
const PAINTED_SIDE = 1200; // of the picture behind the boxes, in pixels

export class Result {
  #answer = new AnswerView(find("#answer"));
  #call = new CallView(find("#call"));
  #correction;
  #explanation = new Explanation(find("#explanation"));
  #reading;
  #note;
  #classifiers = [];
  #cards = new Map(); // by the names of the classifiers
  #shown = null; // {drawing, ink, seen}

  /**
   * `send(predictionId, label)` stores a correction, and `note(drawing, label, index)` notes it. `open(show)` calls
   * `show(signal)` to show another digit of a reading, until the signal is aborted.
   */
  constructor({ send, note, open }) {
    this.#note = note;
    this.#correction = new CorrectionForm(find("#correction"), send);
    this.#reading = new ReadingView(find("#reading"), {
      paint: (canvas) => paintWhole(canvas, this.#shown.drawing, PAINTED_SIDE),
      open: (...digit) => open((signal) => this.#openDigit(...digit, signal)),
    });
    find("#link").addEventListener("click", () => this.#copyLink());
  }

  /** Make a card for each classifier, the default model first. */
  setClassifiers(classifiers) {
    this.#classifiers = classifiers;
    for (const classifier of classifiers) {
      const element = find("#card").content.cloneNode(true).firstElementChild;
      find("#cards").append(element);
      this.#cards.set(classifier.name, new PredictionCard(element, classifier));
    }
    this.#explanation.setClassifiers(classifiers);
  }

  /** Show what was recognised in a picture, the file of a drawing, until `signal` is aborted. */
  async show(picture, drawing, { answers, reading }, signal) {
    this.#shown = { drawing };
    this.#call.show(picture, drawing.picture?.name ?? "drawing.png", reading ? "read" : "predict", service.hasToken());
    if (reading) {
      this.#answer.showReading(reading);
      return this.#reading.show(reading);
    }
    this.#reading.hide();
    this.#answer.show(answers[0].prediction);
    await this.#showPredictions(picture, answers, signal);
    this.#offerCorrection(answers[0].prediction);
  }

  /** Keep what is shown, but open no more digits of it: the drawing has changed. */
  expire() {
    this.#reading.expire();
  }

  hide() {
    this.#shown = null;
    find("#details").hidden = true;
    this.#answer.hide();
    this.#reading.hide();
    this.#call.hide();
    this.#explanation.reset();
    announce("");
  }

  /** Paint again, in other colours. */
  repaint() {
    this.#reading.repaint();
    this.#explanation.repaint();
    if (this.#shown?.ink) paintInk(find("#model-input"), this.#shown.ink);
  }

  /** Show the predictions for one digit of a reading: that of the default model, and those of the others for its image. */
  async #openDigit(digit, index, introduction, signal) {
    const image = toFile(digit.seen);
    const [{ name }, ...others] = this.#classifiers;
    const read = { prediction: { ...digit, model: name }, milliseconds: null };
    const answers = [read, ...(await Promise.all(others.map((other) => service.predict(image, other.name, signal))))];
    await this.#showPredictions(image, answers, signal, introduction);
    this.#offerCorrection(digit, index);
  }

  /** Show the predictions of all models. For screen readers, `introduction` says of what. */
  async #showPredictions(picture, answers, signal, introduction = "") {
    const { seen } = answers[0].prediction;
    const ink = await loadInk(seen);
    signal.throwIfAborted();
    Object.assign(this.#shown, { ink, seen });
    for (const { prediction } of answers) this.#cards.get(prediction.model).show(prediction);
    paintInk(find("#model-input"), ink);
    find("#time").textContent = describeTime(answers);
    find("#link").textContent = "Copy a link to it";
    find("#details").hidden = false;
    const sentences = answers.map(({ prediction }, index) => describePrediction(this.#classifiers[index].title, prediction));
    announce([introduction, ...sentences].join(" "));
    this.#explanation.show(picture, ink, signal);
  }

  #offerCorrection({ prediction_id: id }, index = null) {
    const { drawing } = this.#shown;
    this.#correction.offer(id, (label) => this.#note(drawing, label, index));
  }

  async #copyLink() {
    const link = linkTo(this.#shown.seen);
    const isCopied = await copy(link);
    if (!isCopied) history.replaceState(null, "", link);
    find("#link").textContent = isCopied ? "Link copied" : "The link is in the address bar";
    announce(find("#link").textContent);
  }
}

function describeTime(answers) {
  const times = answers.map(({ milliseconds }) => milliseconds);
  if (times.includes(null)) return "";
  const list = new Intl.ListFormat("en-GB").format(times.map((time) => time.toFixed(1)));
  return `The server took ${list} milliseconds.`;
}
