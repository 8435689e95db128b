// The report on the accuracy of the served models, from their test reports.

import { addArrowKeys } from "./focus.js";
import { addBar, addDots, addLine, makePlot } from "./plot.js";
import { countDigits, number, percent } from "./format.js";

const COLOURS = 4; // in the style sheet
const FEWEST = 20; // images in a group whose share of correct answers is more than chance

/** Return the elements of the report on the classifiers, from the response of `/metrics`. */
export function makeReport(metrics, classifiers) {
  const series = classifiers
    .filter(({ name }) => name in metrics)
    .map(({ name, title }, index) => ({ title, class_: `series-${index % COLOURS}`, ...metrics[name] }));
  return [
    box("tiles", ...series.map(makeTile)),
    box("columns", makeErrorRates(series), makeCalibration(series)),
    box("columns", ...series.map(makeConfusion)),
  ];
}

function makeTile({ title, version, parameters, multiply_adds: multiplyAdds, test }) {
  const [low, high] = test.interval_95.map((bound) => percent(bound, 2));
  const facts = [
    ["Recognised", `${number(test.correct)} of ${number(test.total)}`],
    ["Likely range (95\u202f%)", `${low} to ${high}`],
    ["Said “not sure”", `${number(test.abstained)} times`],
    ["Confidence off by, on average", percent(test.expected_calibration_error, 2)],
    ["Numbers it has learned", number(parameters)],
    ["Multiplications for one image", number(multiplyAdds)],
  ];
  const list = make("dl", "facts");
  for (const [term, value] of facts) list.append(box("", make("dt", "", term), make("dd", "", value)));
  return card(make("h3", "", title), make("p", "figure", percent(test.accuracy, 2)), make("p", "quiet", `of the images are recognised by version ${version}`), list);
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
    x: { from: -0.6, to: 9.6, ticks: digits, label: "digit that was written", text: String },
    y: { from: 0, to: top, ticks: steps(top, 0.05), text: (share) => percent(share, 0) },
    description: `Errors by digit. ${maxima.join(" ")}`,
  });
  const pitch = 22 / series.length;
  series.forEach(({ title, test, class_ }, index) => {
    const offset = (index - (series.length - 1) / 2) * pitch;
    for (const digit of digits) {
      const y = 1 - test.recall[digit];
      addBar(plot, { x: digit, y, offset, width: 0.8 * pitch, title: `${title}: ${percent(y)} of the ${digit}s are recognised wrongly` }, class_);
    }
  });
  return figure("Which digits are hard?", "How many images of each digit are recognised wrongly.", plot.svg, legend(series));
}

function makeCalibration(series) {
  const known = series.filter(({ test }) => test.reliability);
  const missing = series.filter(({ test }) => !test.reliability);
  const intro = `Of the answers that were 80\u202f% sure, 80\u202f% should be right: the dashed line. The larger a dot, the more answers. Dots for fewer than ${FEWEST} answers are left out.`;
  const errors = series.map(({ title, test }) => `${title}: off by ${percent(test.expected_calibration_error, 2)} on average.`);
  const notes = missing.map(({ title, version }) => make("p", "quiet", `${title}: version ${version} has no such figures.`));
  const title = "Can its confidence be trusted?";
  if (!known.length) return figure(title, intro, ...notes);
  const plot = makePlot({
    x: { from: 0, to: 1, ticks: [0, 0.25, 0.5, 0.75, 1], label: "how sure it was", text: (share) => percent(share, 0) },
    y: { from: 0, to: 1, ticks: [0, 0.25, 0.5, 0.75, 1], text: (share) => percent(share, 0) },
    description: `Right answers by confidence. ${errors.join(" ")}`,
  });
  addLine(plot, [[0, 0], [1, 1]], "ideal");
  for (const { test, class_ } of known) {
    for (const bins of largeNeighbours(test.reliability)) {
      addLine(plot, bins.map(([, confidence, accuracy]) => [confidence, accuracy]), class_);
      addDots(plot, bins.map((bin) => [bin[1], bin[2], 2 + Math.log10(bin[0]), describeBin(bin)]), class_);
    }
  }
  return figure(title, intro, plot.svg, ...notes, legend(known));
}

const describeBin = ([images, confidence, accuracy]) => `${number(images)} answers: ${percent(confidence)} sure, ${percent(accuracy)} right`;

/** Return the bins with enough images, as lists of neighbours: a line must not bridge a bin that is left out. */
function largeNeighbours(bins) {
  const groups = [[]];
  for (const bin of bins) {
    if (bin[0] >= FEWEST) groups.at(-1).push(bin);
    else groups.push([]);
  }
  return groups.filter((group) => group.length);
}

function makeConfusion({ title, test: { confusion } }) {
  const summary = make("p", "summary", "Point at a number, or move to it with the arrow keys.");
  summary.setAttribute("aria-live", "polite");
  const table = make("table", "confusion");
  table.append(make("caption", "visually-hidden", `${title}: written digits in rows, answers in columns`));
  const head = table.createTHead().insertRow();
  head.append(make("td"), ...confusion.map((_, digit) => headCell(digit, "col", `answer ${digit}`)));
  const body = table.createTBody();
  const largest = Math.max(...confusion.flatMap((row, truth) => row.filter((_, predicted) => predicted !== truth)), 1);
  const describe = (truth, predicted) => {
    const total = confusion[truth].reduce((sum, count) => sum + count, 0);
    const count = confusion[truth][predicted];
    const verb = count === 1 ? "is" : "are";
    const outcome = truth === predicted ? "recognised" : `taken for ${predicted}`;
    summary.textContent = `${number(count)} of ${countDigits(total, truth)} ${verb} ${outcome}.`;
  };
  confusion.forEach((row, truth) => {
    const line = body.insertRow();
    line.append(headCell(truth, "row", `written ${truth}`));
    row.forEach((count, predicted) => {
      const cell = line.insertCell();
      cell.textContent = count || "";
      cell.setAttribute("aria-label", `${count} written ${truth}, answer ${predicted}`);
      if (truth === predicted) cell.className = "correct";
      else if (count) cell.style.setProperty("--share", Math.sqrt(count / largest));
      cell.addEventListener("pointerenter", () => describe(truth, predicted));
      cell.addEventListener("focus", () => describe(truth, predicted));
    });
  });
  addArrowKeys([...body.rows].map((row) => [...row.cells].slice(1))); // the first cell is the head of the row
  return figure(`${title}: what is taken for what?`, "Each row is what was written, each column what the model answered.", table, summary);
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
