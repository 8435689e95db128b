// The folded section that explains an answer. It asks the service only while it is open.

import { problemText } from "./messages.js";
import { OcclusionMap } from "./occlusion.js";
import { persist } from "./recognition.js";
import * as service from "./service.js";
import { WeightImages } from "./weights.js";

const NO_PICTURE = "Draw a digit to see this.";

export class Explanation {
  #element;
  #map;
  #weights;
  #explained = null; // the classifier whose predictions are explained
  #affine = null; // the classifier whose weights are shown, if there is one
  #areWeightsLoaded = false;
  #shown = null; // {picture, ink, signal, occlusion} of the shown answer

  constructor(element) {
    this.#element = element;
    this.#map = new OcclusionMap(this.#find("#occlusion"), this.#find("#patch"), this.#find("#occlusion-summary"));
    this.#weights = new WeightImages(this.#find("#weights"), this.#find("#weights-summary"));
    element.addEventListener("toggle", () => this.#update());
  }

  /** Set the served classifiers, the default model first. */
  setClassifiers(classifiers) {
    this.#explained = classifiers[0];
    this.#affine = classifiers.find(({ isAffine }) => isAffine) ?? null;
    this.#find("#occlusion-title").textContent = `${this.#explained.title}: what matters in your picture`;
    this.#find("#weights-card").hidden = !this.#affine;
    if (this.#affine) this.#find("#weights-title").textContent = `${this.#affine.title}: all that it has learned`;
    this.#update();
  }

  /** Explain the answer for a picture, with the ink that the models received, until `signal` is aborted. */
  show(picture, ink, signal) {
    this.#shown = { picture, ink, signal, occlusion: null };
    this.#weights.setInk(ink);
    this.#update();
  }

  reset() {
    this.#shown = null;
    this.#map.wait(NO_PICTURE);
    this.#weights.setInk(null);
  }

  /** Paint again, in other colours. */
  repaint() {
    this.#weights.render();
    if (this.#shown?.occlusion) this.#map.show(this.#shown.occlusion, this.#shown.ink);
  }

  async #update() {
    if (!this.#element.open || !this.#explained) return;
    await Promise.all([this.#loadWeights(), this.#shown && this.#explain(this.#shown)]);
  }

  async #explain(shown) {
    const request = () => service.explain(shown.picture, this.#explained.name, shown.signal);
    try {
      shown.occlusion ??= await persist(request, shown.signal, (message) => this.#map.wait(message));
      if (!shown.signal.aborted) this.#map.show(shown.occlusion, shown.ink);
    } catch (error) {
      if (!shown.signal.aborted) this.#map.wait(problemText(error));
    }
  }

  async #loadWeights() {
    if (!this.#affine || this.#areWeightsLoaded) return;
    this.#areWeightsLoaded = true;
    const { name, version } = this.#affine;
    const { signal } = new AbortController();
    this.#weights.setWeights(await persist(() => service.weights(name, version), signal, () => {}));
  }

  #find(selector) {
    return this.#element.querySelector(selector);
  }
}
