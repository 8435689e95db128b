// The report on the accuracy of the served models, from their test reports and model cards.

import { addArrowKeys } from "./focus.js";
import { addBar, addDots, addLine, makePlot } from "./plot.js";
import { countDigits, number, percent } from "./format.js";

const COLOURS = 4; // in the style sheet

/** Return the elements of the report on the classifiers, from the response of `/metrics`. */
export function makeReport(metrics, classifiers) {
  const series = classifiers
    .filter(({ name }) => name in metrics)
    .map(({ name, title, card }, index) => ({ title, card, class_: `series-${index % COLOURS}`, ...metrics[name] }));
  return [
    box("tiles", ...series.map(makeTile)),
    box("columns", makeErrorRates(series), makeCalibration(series)),
    box("columns", ...series.map(makeConfusion)),
    box("columns", ...makeCurves(series)),
  ];
}

function makeTile({ title, version, parameters, multiply_adds: multiplyAdds, test }) {
  const [low, high] = test.interval_95;
  const facts = [
    ["Correct predictions", `${number(test.correct)} of ${number(test.total)}`],
    ["95\u202f% confidence interval", `${percent(low, 2)} to ${percent(high, 2)}`],
    ["Expected calibration error", percent(test.expected_calibration_error, 2)],
    ["Abstentions", number(test.abstained)],
    ["Parameters", number(parameters)],
    ["Multiply-adds per image", number(multiplyAdds)],
  ];
  const list = make("dl", "facts");
  for (const [term, value] of facts) list.append(box("", make("dt", "", term), make("dd", "", value)));
  return card(make("h3", "", title), make("p", "figure", percent(test.accuracy, 2)), make("p", "quiet", `accuracy of version ${version}`), list);
}

function makeErrorRates(series) {
  const highest = Math.max(...series.flatMap(({ test }) => test.recall.map((recall) => 1 - recall)));
  const top = Math.ceil(highest * 20) / 20 || 0.05;
  const digits = [...Array(10).keys()];
  const maxima = series.map(({ title, test }) => {
    const worst = test.recall.indexOf(Math.min(...test.recall));
    return `${title}: highest for ${worst}, ${percent(1 - test.recall[worst])}.`;
  });
  const plot = makePlot({
    x: { from: -0.6, to: 9.6, ticks: digits, label: "digit", text: String },
    y: { from: 0, to: top, ticks: steps(top, 0.05), text: (share) => percent(share, 0) },
    description: `Error rate by digit. ${maxima.join(" ")}`,
  });
  const pitch = 22 / series.length;
  series.forEach(({ title, test, class_ }, index) => {
    const offset = (index - (series.length - 1) / 2) * pitch;
    for (const digit of digits) {
      const y = 1 - test.recall[digit];
      addBar(plot, { x: digit, y, offset, width: 0.8 * pitch, title: `${title}: ${percent(y)} of the ${digit}s misclassified` }, class_);
    }
  });
  return figure("Error rate by digit", "The share of each digit's test images that are misclassified.", plot.svg, legend(series));
}

function makeCalibration(series) {
  const known = series.filter(({ test }) => test.reliability);
  const missing = series.filter(({ test }) => !test.reliability);
  const intro = "The share of correct predictions for each range of confidence. On the dashed line, the two are equal.";
  const errors = series.map(({ title, test }) => `${title}: ${percent(test.expected_calibration_error, 2)} expected calibration error.`);
  const notes = missing.map(({ title, version }) => make("p", "quiet", `${title}: the model card of version ${version} contains no calibration curve.`));
  const title = "Calibration";
  if (!known.length) return figure(title, intro, make("p", "summary", errors.join(" ")), ...notes);
  const plot = makePlot({
    x: { from: 0, to: 1, ticks: [0, 0.25, 0.5, 0.75, 1], label: "confidence", text: (share) => percent(share, 0) },
    y: { from: 0, to: 1, ticks: [0, 0.25, 0.5, 0.75, 1], text: (share) => percent(share, 0) },
    description: `Calibration. ${errors.join(" ")}`,
  });
  addLine(plot, [[0, 0], [1, 1]], "ideal");
  for (const { test, class_ } of known) {
    const bins = test.reliability.filter(([images]) => images > 0);
    addLine(plot, bins.map(([, confidence, accuracy]) => [confidence, accuracy]), class_);
    const describe = ([images, confidence, accuracy]) => `${number(images)} predictions: mean confidence ${percent(confidence)}, accuracy ${percent(accuracy)}`;
    addDots(plot, bins.map((bin) => [bin[1], bin[2], 2 + Math.log10(bin[0]), describe(bin)]), class_);
  }
  return figure(title, intro, plot.svg, make("p", "quiet", errors.join(" ")), ...notes, legend(known));
}

function makeConfusion({ title, test: { confusion } }) {
  const summary = make("p", "summary", "Point at a cell, or move to it with the arrow keys.");
  summary.setAttribute("aria-live", "polite");
  const table = make("table", "confusion");
  table.append(make("caption", "visually-hidden", `${title}: true digits in rows, predicted digits in columns`));
  const head = table.createTHead().insertRow();
  head.append(make("td"), ...confusion.map((_, digit) => headCell(digit, "col", `predicted ${digit}`)));
  const body = table.createTBody();
  const largest = Math.max(...confusion.flatMap((row, truth) => row.filter((_, predicted) => predicted !== truth)), 1);
  const describe = (truth, predicted) => {
    const total = confusion[truth].reduce((sum, count) => sum + count, 0);
    const count = confusion[truth][predicted];
    const verb = count === 1 ? "is" : "are";
    const outcome = truth === predicted ? "classified correctly" : `misclassified as ${predicted}`;
    summary.textContent = `${number(count)} of ${countDigits(total, truth)} ${verb} ${outcome}.`;
  };
  confusion.forEach((row, truth) => {
    const line = body.insertRow();
    line.append(headCell(truth, "row", `true ${truth}`));
    row.forEach((count, predicted) => {
      const cell = line.insertCell();
      cell.textContent = count || "";
      cell.setAttribute("aria-label", `${count} of true ${truth} predicted as ${predicted}`);
      if (truth === predicted) cell.className = "correct";
      else if (count) cell.style.setProperty("--share", Math.sqrt(count / largest));
      cell.addEventListener("pointerenter", () => describe(truth, predicted));
      cell.addEventListener("focus", () => describe(truth, predicted));
    });
  });
  addArrowKeys([...body.rows].map((row) => [...row.cells].slice(1))); // the first cell is the head of the row
  return figure(`${title}: confusion matrix`, "Rows are the true digits, columns the predicted digits.", table, summary);
}

function makeCurves(series) {
  const known = series.filter(({ card }) => card.history.length);
  const last = Math.max(...known.map(({ card }) => card.history.at(-1).iteration), 1);
  const x = { from: 0, to: last, ticks: [0, last / 2, last].map(Math.round), label: "iteration", text: number };
  const losses = known.flatMap(({ card }) => card.history.map(({ loss }) => loss));
  const top = Math.ceil(Math.max(...losses, 0.1) * 5) / 5;
  const plots = [
    ["Accuracy during training", "Measured on the validation images.", "validation_accuracy", { from: 0.85, to: 1, ticks: [0.85, 0.9, 0.95, 1], text: (share) => percent(share, 0) }],
    ["Loss during training", "Measured on the training images. The loss of a model cannot reach 0 if its targets are probabilities of several digits.", "loss", { from: 0, to: top, ticks: steps(top, top > 1 ? 0.4 : 0.2), text: (loss) => loss.toFixed(1) }],
  ];
  return plots.map(([title, intro, field, y]) => {
    const ends = known.map((each) => `${each.title}: ${each.card.history.at(-1)[field].toFixed(3)} at the end.`);
    const plot = makePlot({ x, y, description: `${title}. ${ends.join(" ")}` });
    for (const { card: { history }, class_ } of known) {
      addLine(plot, dropShortInterval(history).map((point) => [point.iteration, Math.max(y.from, point[field])]), class_);
    }
    return figure(title, intro, plot.svg, legend(known));
  });
}

/** Leave out the last point if its interval is less than half as long as the others: its loss is of a few batches. */
function dropShortInterval(history) {
  return history.filter(({ iteration }, index) => !index || iteration - history[index - 1].iteration > history[0].iteration / 2);
}

const steps = (to, by) => Array.from({ length: Math.round(to / by) + 1 }, (_, index) => index * by);

function legend(series) {
  const list = make("ul", "legend");
  for (const { class_, title } of series) list.append(make("li", class_, title));
  return list;
}

function figure(title, intro, ...content) {
  return card(make("h3", "", title), make("p", "", intro), ...content);
}

function card(...content) {
  const element = make("article", "card");
  element.append(...content);
  return element;
}

function box(class_, ...content) {
  const element = make("div", class_);
  element.append(...content);
  return element;
}

function headCell(text, scope, label) {
  const cell = make("th", "", text);
  cell.scope = scope;
  cell.setAttribute("aria-label", label);
  return cell;
}

function make(tag, class_, text = "") {
  const element = document.createElement(tag);
  if (class_) element.className = class_;
  element.textContent = text;
  return element;
}
