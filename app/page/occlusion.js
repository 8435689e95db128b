// The occlusion map: how much the confidence of a model drops when a part of the picture is covered.

import { blank, colour, mix, paint, SIDE } from "./raster.js";
import { percent } from "./format.js";

const INK = 0.45; // how strong the ink of the picture is
const SMALL_DROP = 0.05; // of confidence: a smaller one is not marked

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
    const strongest = Math.max(...drops, SMALL_DROP); // has the full colour, whatever the theme and the drop
    const [inkColour, dropColour] = [colour("ink-rgb"), colour("against-rgb")];
    paint(this.#canvas, (index) => {
      const intensity = Math.sqrt(drops[index] / strongest); // the square root makes small drops visible
      return [...mix(inkColour, dropColour, intensity), Math.max(ink[index] * INK, intensity)];
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

  /** Remove the map, and show a message instead. */
  wait(message) {
    blank(this.#canvas);
    this.#canvas.setAttribute("aria-label", "No picture yet");
    this.#patch.hidden = true;
    this.#summary.textContent = message;
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
  if (drop < SMALL_DROP) return `No single square decides: whichever is covered, the answer stays ${digit}.`;
  if (changed !== digit) return `With the marked square covered, the answer changes from ${digit} to ${changed}.`;
  return `With the marked square covered, the model is only ${percent(remaining)} sure of ${digit}, and no longer ${percent(confidence)}.`;
}
