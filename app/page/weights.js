// The ten weight images of an affine model, brighter where the picture has ink.

import { colour, paint, SIDE } from "./raster.js";

const NO_PICTURE = "Draw a digit to see this.";

export class WeightImages {
  #canvases;
  #scores;
  #summary;
  #weights = null; // {biases: [10], weights: [10][784]}
  #ink = null;

  constructor(list, summary) {
    const tiles = Array.from({ length: 10 }, (_, digit) => makeTile(list, digit));
    this.#canvases = tiles.map(({ canvas }) => canvas);
    this.#scores = tiles.map(({ score }) => score);
    this.#summary = summary;
  }

  /** Set the weights of the served version. */
  setWeights({ biases, weights }) {
    this.#weights = { biases, weights: weights.map((image) => image.flat()) };
    this.render();
  }

  /** Set the ink of the picture, 784 numbers from 0 to 1, or null for no picture. */
  setInk(ink) {
    this.#ink = ink;
    this.render();
  }

  render() {
    if (!this.#weights) return;
    const { biases, weights } = this.#weights;
    const largest = Math.max(...weights.flat().map(Math.abs));
    const [forColour, againstColour] = [colour("for-rgb"), colour("against-rgb")];
    const ink = this.#ink;
    const scores = weights.map((row, digit) =>
      row.reduce((sum, weight, index) => sum + weight * (ink?.[index] ?? 0), biases[digit]),
    );
    const best = scores.indexOf(Math.max(...scores));
    weights.forEach((row, digit) => {
      paint(this.#canvases[digit], (index) => {
        const brightness = ink ? 0.16 + 0.84 * ink[index] : 0.6;
        const opacity = Math.min(1, (Math.abs(row[index]) / largest) * 2.5) * brightness;
        return [...(row[index] > 0 ? forColour : againstColour), opacity];
      });
      this.#scores[digit].textContent = ink ? signed(scores[digit]) : "";
      this.#scores[digit].parentElement.classList.toggle("best", Boolean(ink) && digit === best);
    });
    this.#summary.textContent = ink ? summariseScores(scores, best) : NO_PICTURE;
  }
}

function summariseScores(scores, best) {
  const second = scores.reduce((found, score, digit) => (digit !== best && (found < 0 || score > scores[found]) ? digit : found), -1);
  return `The highest score is ${signed(scores[best])} for ${best}, followed by ${signed(scores[second])} for ${second}.`;
}

const signed = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(1)}`;

function makeTile(list, digit) {
  const tile = document.createElement("li");
  const canvas = document.createElement("canvas");
  canvas.className = "raster";
  canvas.width = canvas.height = SIDE;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `Weights of the digit ${digit}`);
  const label = document.createElement("b");
  label.textContent = digit;
  const score = document.createElement("span");
  tile.append(canvas, label, " ", score);
  list.append(tile);
  return { canvas, score };
}
