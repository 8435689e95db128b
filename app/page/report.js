// How good the served models are: from their test reports and cards.

import { addBar, addDots, addLine, makePlot } from "./plot.js";
import { NAMES, number, percent, some } from "./words.js";

const ORDER = ["convnet", "softmax"];

/** Make the report out of the answers of `/metrics` and `/models`. */
export function makeReport(metrics, models) {
  const names = ORDER.filter((name) => name in metrics);
  const cards = Object.fromEntries(names.map((name) => [name, cardOf(models, name, metrics[name].version)]));
  return [
    box("tiles", ...names.map((name) => makeTile(name, metrics[name]))),
    box("columns", makeMisreadings(names, metrics), makeCalibration(names, metrics)),
    box("columns", ...names.map((name) => makeConfusion(name, metrics[name].test.confusion))),
    box("columns", ...makeCurves(names, cards)),
  ];
}

function cardOf(models, name, version) {
  return models.find((model) => model.name === name)?.versions.find((one) => one.version === version)?.card;
}

function makeTile(name, { version, parameters, multiply_adds: multiplyAdds, test }) {
  const [low, high] = test.interval_95;
  const facts = [
    ["Read right", `${number(test.correct)} of ${number(test.total)}`],
    ["95\u202f% interval", `${percent(low, 2)} to ${percent(high, 2)}`],
    ["Calibration error", percent(test.expected_calibration_error, 2)],
    ["Abstained", `${number(test.abstained)} times`],
    ["Parameters", number(parameters)],
    ["Multiply-adds", `${number(multiplyAdds)} an image`],
  ];
  const list = make("dl", "facts");
  for (const [term, value] of facts) list.append(box("", make("dt", "", term), make("dd", "", value)));
  const title = make("h3", "", NAMES[name]);
  return card(title, make("p", "figure", percent(test.accuracy, 2)), make("p", "quiet", `accuracy of version ${version}`), list);
}

function makeMisreadings(names, metrics) {
  const missed = (name, digit) => 1 - metrics[name].test.recall[digit];
  const most = Math.max(...names.flatMap((name) => metrics[name].test.recall.map((recall) => 1 - recall)));
  const top = Math.ceil(most * 20) / 20 || 0.05;
  const digits = [...Array(10).keys()];
  const worst = (name) => digits.reduce((found, digit) => (missed(name, digit) > missed(name, found) ? digit : found));
  const plot = makePlot({
    x: { from: -0.6, to: 9.6, ticks: digits, label: "digit", text: String },
    y: { from: 0, to: top, ticks: steps(top, 0.05), text: (share) => percent(share, 0) },
    says: `Share of each digit misread. ${names.map((name) => `${NAMES[name]}: most for ${worst(name)}, ${percent(missed(name, worst(name)))}.`).join(" ")}`,
  });
  names.forEach((name, place) => {
    for (const digit of digits) {
      const title = `${NAMES[name]}: ${percent(missed(name, digit))} of the ${digit}s misread`;
      addBar(plot, { x: digit, y: missed(name, digit), offset: place * 11 - 5.5, width: 9, title }, name);
    }
  });
  return figure("Misread, digit by digit", "Share of the test images of each digit that is not read right.", plot.svg, legend(names));
}

function makeCalibration(names, metrics) {
  const known = names.filter((name) => metrics[name].test.reliability);
  const lacking = names.filter((name) => !metrics[name].test.reliability);
  const words = "Of the answers given with some confidence, how many are right. On the dashed line it means what it says.";
  const errors = names.map((name) => `${NAMES[name]}: off by ${percent(metrics[name].test.expected_calibration_error, 2)} on average.`);
  const versions = lacking.map((name) => `version ${metrics[name].version} of the ${NAMES[name].toLowerCase()}`);
  const note = lacking.length ? [make("p", "quiet", `The card of ${versions.join(" and that of ")} holds no curve.`)] : [];
  const title = "Do they know how sure they are?";
  if (!known.length) return figure(title, words, make("p", "finding", errors.join(" ")), ...note);
  const plot = makePlot({
    x: { from: 0, to: 1, ticks: [0, 0.25, 0.5, 0.75, 1], label: "confidence", text: (share) => percent(share, 0) },
    y: { from: 0, to: 1, ticks: [0, 0.25, 0.5, 0.75, 1], text: (share) => percent(share, 0) },
    says: `Calibration. ${errors.join(" ")}`,
  });
  addLine(plot, [[0, 0], [1, 1]], "ideal");
  for (const name of known) {
    const bins = metrics[name].test.reliability.filter(([images]) => images > 0);
    addLine(plot, bins.map(([, confidence, right]) => [confidence, right]), name);
    const say = ([images, confidence, right]) => `${number(images)} answers, ${percent(confidence)} sure, ${percent(right)} right`;
    addDots(plot, bins.map((bin) => [bin[1], bin[2], 2 + Math.log10(bin[0]), say(bin)]), name);
  }
  return figure(title, words, plot.svg, make("p", "quiet", errors.join(" ")), ...note, legend(known));
}

function makeConfusion(name, confusion) {
  const readout = make("p", "finding", "Point at a square, or move there with the arrow keys.");
  readout.setAttribute("aria-live", "polite");
  const table = make("table", "confusion");
  table.append(make("caption", "visually-hidden", `${NAMES[name]}: true digits down, answers across`));
  const head = table.createTHead().insertRow();
  head.append(make("td"), ...confusion.map((_, digit) => headCell(digit, "col", `read as ${digit}`)));
  const body = table.createTBody();
  const most = Math.max(...confusion.flatMap((row, truth) => row.filter((_, answer) => answer !== truth)), 1);
  const say = (truth, answer) => {
    const total = confusion[truth].reduce((sum, count) => sum + count, 0);
    const count = confusion[truth][answer];
    readout.textContent = truth === answer ? `${number(count)} of ${some(total, truth)} are read right.` : `${number(count)} of ${some(total, truth)} ${count === 1 ? "is" : "are"} read as ${answer}.`;
  };
  confusion.forEach((row, truth) => {
    const line = body.insertRow();
    line.append(headCell(truth, "row", `true ${truth}`));
    row.forEach((count, answer) => {
      const cell = line.insertCell();
      cell.textContent = count || "";
      cell.tabIndex = truth || answer ? -1 : 0;
      cell.setAttribute("aria-label", `${count} of true ${truth} read as ${answer}`);
      if (truth === answer) cell.className = "right";
      else if (count) cell.style.setProperty("--share", Math.sqrt(count / most));
      cell.addEventListener("pointerenter", () => say(truth, answer));
      cell.addEventListener("focus", () => say(truth, answer));
    });
  });
  moveByArrows(body);
  return figure(`${NAMES[name]}: what it takes for what`, "Rows are the true digits, columns the answers.", table, readout);
}

/** Let the arrow keys move the focus in a table, of which one cell at a time can be reached with Tab. */
function moveByArrows(body) {
  const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  body.addEventListener("keydown", (event) => {
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    const cell = event.target;
    const row = body.rows[cell.parentElement.sectionRowIndex + move[0]];
    const next = cell.cellIndex + move[1] > 0 ? row?.cells[cell.cellIndex + move[1]] : null;
    if (!next) return;
    cell.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });
}

function makeCurves(names, cards) {
  const known = names.filter((name) => cards[name]?.history.length);
  const last = Math.max(...known.map((name) => cards[name].history.at(-1).iteration), 1);
  const x = { from: 0, to: last, ticks: [0, last / 2, last].map(Math.round), label: "iteration", text: number };
  const losses = known.flatMap((name) => cards[name].history.map(({ loss }) => loss));
  const top = Math.ceil(Math.max(...losses, 0.1) * 5) / 5;
  const plots = [
    ["How they learnt: accuracy", "On the validation images, as training went on.", "validation_accuracy", { from: 0.85, to: 1, ticks: [0.85, 0.9, 0.95, 1], text: (share) => percent(share, 0) }],
    ["How they learnt: loss", "On the training images. The network's cannot reach zero: none of its targets is one digit alone.", "loss", { from: 0, to: top, ticks: steps(top, top > 1 ? 0.4 : 0.2), text: (loss) => loss.toFixed(1) }],
  ];
  return plots.map(([title, words, field, y]) => {
    const ends = known.map((name) => `${NAMES[name]}: ${cards[name].history.at(-1)[field].toFixed(3)} at the end.`);
    const plot = makePlot({ x, y, says: `${title}. ${ends.join(" ")}` });
    for (const name of known) {
      const points = wholeIntervals(cards[name].history).map((point) => [point.iteration, Math.max(y.from, point[field])]);
      addLine(plot, points, name);
    }
    return figure(title, words, plot.svg, legend(known));
  });
}

/** Leave out a last point that comes so soon after the one before it that its loss is that of a few batches. */
function wholeIntervals(history) {
  return history.filter(({ iteration }, place) => !place || iteration - history[place - 1].iteration > history[0].iteration / 2);
}

const steps = (to, by) => Array.from({ length: Math.round(to / by) + 1 }, (_, index) => index * by);

function legend(names) {
  const list = make("ul", "legend");
  for (const name of names) list.append(make("li", name, NAMES[name]));
  return list;
}

function figure(title, words, ...content) {
  return card(make("h3", "", title), make("p", "", words), ...content);
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

function headCell(words, scope, label) {
  const cell = make("th", "", words);
  cell.scope = scope;
  cell.setAttribute("aria-label", label);
  return cell;
}

function make(tag, class_, words = "") {
  const element = document.createElement(tag);
  if (class_) element.className = class_;
  element.textContent = words;
  return element;
}
