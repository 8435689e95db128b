// Why the models answer as they do: an occlusion map for the network, weights and evidence for the matrix.

import { blank, colour, mix, paint, SIDE } from "./raster.js";
import { percent } from "./words.js";

const NOTHING = "Draw something to see it.";
const SMALL_LOSS = 0.05;

/** The map of what, if covered, would change the network's mind. */
export class OcclusionMap {
  #canvas;
  #patch;
  #words;

  constructor(canvas, patch, words) {
    this.#canvas = canvas;
    this.#patch = patch;
    this.#words = words;
  }

  /** Show what the service found out about a picture, over its ink (784 numbers from 0 to 1). */
  show(occlusion, ink) {
    const losses = lossOfPixels(occlusion);
    const [dark, warm] = [colour("ink-rgb"), colour("against-rgb")];
    paint(this.#canvas, (index) => {
      const loss = losses[index];
      const heat = Math.sqrt(loss); // so that a small loss is seen, too
      return [...mix(dark, warm, Math.min(1, heat * 1.5)), Math.max(ink[index] * 0.35, heat)];
    });
    const worst = worstSquare(occlusion);
    const words = describe(occlusion, worst);
    this.#words.textContent = words;
    this.#canvas.setAttribute("aria-label", `Occlusion map. ${words}`);
    this.#patch.hidden = worst.loss < SMALL_LOSS;
    const share = (pixels) => `${(pixels / SIDE) * 100}%`;
    Object.assign(this.#patch.style, {
      left: share(worst.column * occlusion.step),
      top: share(worst.row * occlusion.step),
      width: share(occlusion.patch),
      height: share(occlusion.patch),
    });
  }

  reset() {
    blank(this.#canvas);
    this.#canvas.setAttribute("aria-label", "No picture yet");
    this.#patch.hidden = true;
    this.#words.textContent = NOTHING;
  }
}

/** How much confidence the squares over each pixel cost, on average: 784 numbers from 0 to 1. */
function lossOfPixels({ confidence, confidences, patch, step }) {
  const [sums, counts] = [new Float32Array(SIDE * SIDE), new Float32Array(SIDE * SIDE)];
  confidences.forEach((row, down) =>
    row.forEach((left, right) => {
      const loss = Math.max(0, confidence - left);
      for (let y = down * step; y < down * step + patch; y += 1) {
        for (let x = right * step; x < right * step + patch; x += 1) {
          sums[y * SIDE + x] += loss;
          counts[y * SIDE + x] += 1;
        }
      }
    }),
  );
  return sums.map((sum, index) => sum / counts[index]);
}

function worstSquare({ confidence, confidences, digits }) {
  const squares = confidences.flatMap((row, down) =>
    row.map((left, right) => ({ row: down, column: right, left, loss: confidence - left, digit: digits[down][right] })),
  );
  return squares.reduce((worst, square) => (square.loss > worst.loss ? square : worst));
}

function describe({ digit, confidence }, worst) {
  if (worst.loss < SMALL_LOSS) return `No single square matters: whichever is covered, it still reads ${digit}.`;
  if (worst.digit !== digit) return `With the marked square covered it would read ${worst.digit} instead of ${digit}.`;
  return `Covering the marked square costs most: it is then ${percent(worst.left)} sure of ${digit}, not ${percent(confidence)}.`;
}

/** The ten weight images, lit up where the picture has ink. */
export class Evidence {
  #canvases;
  #scores;
  #words;
  #weights = null; // {biases: [10], weights: [10][784]}
  #ink = null;

  constructor(list, words) {
    const tiles = Array.from({ length: 10 }, (_, digit) => makeTile(list, digit));
    this.#canvases = tiles.map(({ canvas }) => canvas);
    this.#scores = tiles.map(({ score }) => score);
    this.#words = words;
  }

  /** Take the weights of the version that is served. */
  setWeights({ biases, weights }) {
    this.#weights = { biases, weights: weights.map((image) => image.flat()) };
    this.render();
  }

  /** Take the ink of a picture, 784 numbers from 0 to 1, or null. */
  setInk(ink) {
    this.#ink = ink;
    this.render();
  }

  render() {
    if (!this.#weights) return;
    const { biases, weights } = this.#weights;
    const most = Math.max(...weights.flat().map(Math.abs));
    const [forIt, againstIt] = [colour("for-rgb"), colour("against-rgb")];
    const ink = this.#ink;
    const totals = weights.map((row, digit) =>
      row.reduce((sum, weight, index) => sum + weight * (ink?.[index] ?? 0), biases[digit]),
    );
    const best = totals.indexOf(Math.max(...totals));
    weights.forEach((row, digit) => {
      paint(this.#canvases[digit], (index) => {
        const lit = ink ? 0.16 + 0.84 * ink[index] : 0.6;
        return [...(row[index] > 0 ? forIt : againstIt), Math.min(1, (Math.abs(row[index]) / most) * 2.5) * lit];
      });
      this.#scores[digit].textContent = ink ? signed(totals[digit]) : "";
      this.#scores[digit].parentElement.classList.toggle("best", Boolean(ink) && digit === best);
    });
    this.#words.textContent = ink ? summarise(totals, best) : NOTHING;
  }
}

function summarise(totals, best) {
  const second = totals.reduce((found, total, digit) => (digit !== best && (found < 0 || total > totals[found]) ? digit : found), -1);
  return `The evidence is strongest for ${best}: ${signed(totals[best])}, ahead of ${second} with ${signed(totals[second])}.`;
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
