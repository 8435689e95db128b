// Explains the predictions: an occlusion map, and the weights of an affine model.

import { blank, colour, mix, paint, SIDE } from "./raster.js";
import { percent } from "./format.js";

const NO_PICTURE = "Draw a digit to see this.";
const SMALL_DROP = 0.05; // of confidence: a smaller one is not marked

/** The occlusion map: how much the confidence of a model drops when a part of the picture is covered. */
export class OcclusionMap {
  #canvas;
  #patch;
  #summary;

  constructor(canvas, patch, summary) {
    this.#canvas = canvas;
    this.#patch = patch;
    this.#summary = summary;
  }

  /** Show the service's `occlusion` of a picture over its `ink`, 784 numbers from 0 to 1. */
  show(occlusion, ink) {
    const drops = dropPerPixel(occlusion);
    const [inkColour, dropColour] = [colour("ink-rgb"), colour("against-rgb")];
    paint(this.#canvas, (index) => {
      const intensity = Math.sqrt(drops[index]); // the square root makes small drops visible
      return [...mix(inkColour, dropColour, Math.min(1, intensity * 1.5)), Math.max(ink[index] * 0.35, intensity)];
    });
    const largest = largestDrop(occlusion);
    const summary = summariseOcclusion(occlusion, largest);
    this.#summary.textContent = summary;
    this.#canvas.setAttribute("aria-label", `Occlusion map. ${summary}`);
    this.#patch.hidden = largest.drop < SMALL_DROP;
    const share = (pixels) => `${(pixels / SIDE) * 100}%`;
    Object.assign(this.#patch.style, {
      left: share(largest.column * occlusion.step),
      top: share(largest.row * occlusion.step),
      width: share(occlusion.patch),
      height: share(occlusion.patch),
    });
  }

  reset() {
    blank(this.#canvas);
    this.#canvas.setAttribute("aria-label", "No picture yet");
    this.#patch.hidden = true;
    this.#summary.textContent = NO_PICTURE;
  }
}

/** Return the mean drop of confidence over the squares that cover each pixel: 784 numbers from 0 to 1. */
function dropPerPixel({ confidence, confidences, patch, step }) {
  const [sums, counts] = [new Float32Array(SIDE * SIDE), new Float32Array(SIDE * SIDE)];
  confidences.forEach((row, rowIndex) =>
    row.forEach((remaining, columnIndex) => {
      const drop = Math.max(0, confidence - remaining);
      for (let y = rowIndex * step; y < rowIndex * step + patch; y += 1) {
        for (let x = columnIndex * step; x < columnIndex * step + patch; x += 1) {
          sums[y * SIDE + x] += drop;
          counts[y * SIDE + x] += 1;
        }
      }
    }),
  );
  return sums.map((sum, index) => sum / counts[index]);
}

/** Return the square that lowers the confidence most when it is covered. */
function largestDrop({ confidence, confidences, digits }) {
  const squares = confidences.flatMap((values, row) =>
    values.map((remaining, column) => ({ row, column, remaining, drop: confidence - remaining, digit: digits[row][column] })),
  );
  return squares.reduce((largest, square) => (square.drop > largest.drop ? square : largest));
}

function summariseOcclusion({ digit, confidence }, { drop, remaining, digit: changed }) {
  if (drop < SMALL_DROP) return `No single square is decisive: whichever is covered, the prediction stays ${digit}.`;
  if (changed !== digit) return `With the marked square covered, the prediction changes from ${digit} to ${changed}.`;
  return `Covering the marked square lowers the confidence in ${digit} most: from ${percent(confidence)} to ${percent(remaining)}.`;
}

/** The ten weight images of an affine model, brighter where the picture has ink. */
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
