// Connects the parts of the page: sends each picture to the service, and shows the predictions.

import { listClassifiers } from "./classifiers.js";
import { CorrectionForm } from "./correction.js";
import { toFile } from "./encode.js";
import { OcclusionMap, WeightImages } from "./explanation.js";
import { Pad } from "./pad.js";
import { watchPictures } from "./pictures.js";
import { describePrediction, PredictionCard } from "./prediction.js";
import { blank, loadInk, paintInk } from "./raster.js";
import { ReadingView } from "./reading.js";
import { makeReport } from "./report.js";
import * as service from "./service.js";
import { TokenForm } from "./token.js";

const find = (selector) => document.querySelector(selector);
const RETRY_MILLISECONDS = 1000;

const pad = new Pad(find("#pad"));
const occlusionMap = new OcclusionMap(find("#occlusion"), find("#patch"), find("#occlusion-summary"));
const weightImages = new WeightImages(find("#weights"), find("#weights-summary"));
const correction = new CorrectionForm(find("#correction"), service.correct);
const readingView = new ReadingView(find("#reading"), { paint: (canvas) => pad.paintOn(canvas), open: openDigit, announce });
const tokenForm = new TokenForm(find("#token"), (token) => {
  service.useToken(token);
  predict();
});

let loading = null; // the promise of the classifiers, once they are requested
let classifiers = []; // those that are served, the default model first
let cards = new Map(); // the card of each classifier, by its name
let current = new AbortController(); // of the prediction in progress: a newer one aborts it
let shown = null; // {ink, occlusion} of the shown prediction, to be painted again in other colours
let weightsVersion = null; // the version whose weights are shown

/** Find out which classifiers the service has, and make a card for each. */
async function loadClassifiers() {
  loading ??= service.models();
  try {
    const found = listClassifiers(await loading);
    if (!found.length) throw new service.ServiceError({ detail: "No model is ready yet." }, 503, 1);
    if (!classifiers.length) showClassifiers(found);
  } catch (error) {
    loading = null;
    throw error;
  }
}

function showClassifiers(found) {
  classifiers = found;
  cards = new Map(
    found.map((classifier) => {
      const element = find("#card").content.cloneNode(true).firstElementChild;
      find("#cards").append(element);
      return [classifier.name, new PredictionCard(element, classifier)];
    }),
  );
  const affine = found.find(({ isAffine }) => isAffine);
  find("#occlusion-title").textContent = `${found[0].title}: occlusion map`;
  find("#weights-card").hidden = !affine;
  if (affine) find("#weights-title").textContent = `${affine.title}: weights`;
}

/** Send the picture on the pad to all models, and show their predictions. */
async function predict() {
  const signal = supersede();
  readingView.expire();
  updateTools();
  const picture = pad.picture();
  if (!picture) {
    warn(null);
    return reset("Nothing drawn yet");
  }
  try {
    await loadClassifiers();
    const answers = await Promise.all(classifiers.map(({ name }) => service.predict(picture, name, signal)));
    const { reading, problem } = await read(picture, answers[0].prediction, signal);
    warn(problem);
    if (reading) return readingView.show(reading);
    readingView.hide();
    await showPredictions(answers);
    await showExplanations(picture, answers, signal);
  } catch (error) {
    if (!signal.aborted) await handle(error, signal, predict);
  }
}

/** Abort what is in progress, and return the signal for what takes its place. */
function supersede() {
  current.abort();
  current = new AbortController();
  return current.signal;
}

/**
 * Read all digits of a picture, if the default model abstained from predicting one.
 *
 * Return `{reading, problem}`: a reading that says more than the prediction, or null, and a message for people, or null.
 */
async function read(picture, { reason }, signal) {
  if (reason === null || reason === "blank") return { reading: null, problem: null };
  const isNumber = reason === "several_digits";
  let problem = "The picture seems to show several digits, but none could be read.";
  try {
    const reading = await service.read(picture, classifiers[0].name, signal);
    const digits = reading.lines.flatMap((line) => line.digits);
    if (isNumber ? digits.length : digits.length > 1 && digits.some(({ abstained }) => !abstained)) return { reading, problem: null };
  } catch (error) {
    if (!(error instanceof service.ServiceError)) throw error;
    problem = `The picture seems to show several digits, but they could not be read. ${error.message}`;
  }
  return { reading: null, problem: isNumber ? problem : null };
}

/** Show the predictions for one digit of a reading: that of the default model, and those of the others for its image. */
async function openDigit(digit, introduction) {
  const signal = supersede();
  try {
    const image = toFile(digit.seen);
    const [{ name }, ...others] = classifiers;
    const read = { prediction: { ...digit, model: name }, milliseconds: null };
    const answers = [read, ...(await Promise.all(others.map((other) => service.predict(image, other.name, signal))))];
    await showPredictions(answers, introduction);
    await showExplanations(image, answers, signal);
  } catch (error) {
    if (!signal.aborted) await handle(error, signal, predict);
  }
}

/** Show the predictions of all models. For screen readers, `introduction` says of what. */
async function showPredictions(answers, introduction = "") {
  for (const { prediction } of answers) cards.get(prediction.model).show(prediction);
  correction.offer(answers[0].prediction.prediction_id);
  const ink = await loadInk(answers[0].prediction.seen);
  shown = { ink, occlusion: null };
  paintInk(find("#model-input"), ink);
  find("#model-input").setAttribute("aria-label", "Your picture as the input of the models");
  find("#time").textContent = describeTime(answers);
  const sentences = answers.map(({ prediction }, index) => describePrediction(classifiers[index].title, prediction));
  announce([introduction, ...sentences].join(" "));
}

async function showExplanations(picture, answers, signal) {
  weightImages.setInk(shown.ink);
  const [occlusion] = await Promise.all([
    service.explain(picture, classifiers[0].name, signal),
    loadWeights((name) => answers.find(({ prediction }) => prediction.model === name).prediction.version),
  ]);
  if (signal.aborted) return;
  shown.occlusion = occlusion;
  occlusionMap.show(occlusion, shown.ink);
}

/** Load the weights of the first affine classifier, if there is one. `versionOf` returns the version by the name. */
async function loadWeights(versionOf) {
  const affine = classifiers.find(({ isAffine }) => isAffine);
  if (!affine || weightsVersion === versionOf(affine.name)) return;
  const version = versionOf(affine.name);
  weightImages.setWeights(await service.weights(affine.name, version));
  weightsVersion = version;
}

/** Remove the shown predictions: they do not belong to the picture that is on the pad now. */
function reset(message) {
  shown = null;
  for (const card of cards.values()) card.reset(message);
  blank(find("#model-input"));
  find("#model-input").setAttribute("aria-label", "No model input yet");
  find("#time").textContent = "";
  announce("");
  readingView.hide();
  occlusionMap.reset();
  weightImages.setInk(null);
  correction.offer(null);
}

/** Show a message for an error. If the error is temporary, wait and call `retry`. */
async function handle(error, signal, retry) {
  if (error instanceof service.Unreachable) {
    warn("The server cannot be reached. Your picture is kept and will be sent again as soon as the server is back.");
    if (!pad.isEmpty) reset("Waiting for the server");
    await waitUntilReady(signal);
  } else if (error instanceof service.ServiceError && error.isTemporary) {
    warn(`The server is busy: ${error.message} Trying again.`);
    if (!pad.isEmpty) reset("Waiting for the server");
    await pause(error.retrySeconds * 1000);
  } else if (error instanceof service.ServiceError && error.needsToken) {
    reset("No prediction");
    tokenForm.ask();
    return warn("This server requires a token for predictions. Please enter it below.");
  } else if (error instanceof service.ServiceError) {
    reset("No prediction");
    return warn(error.message);
  } else {
    throw error;
  }
  if (!signal.aborted) await retry();
}

async function waitUntilReady(signal) {
  do {
    await pause(RETRY_MILLISECONDS);
  } while (!signal.aborted && !(await service.isReady()));
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Tell screen readers a message. */
function announce(message) {
  find("#status").textContent = message;
}

/** Show a message above the predictions, or none for null. */
function warn(message) {
  const notice = find("#notice");
  notice.hidden = message === null;
  notice.textContent = message ?? "";
}

function describeTime(answers) {
  const times = answers.map(({ milliseconds }) => milliseconds);
  if (times.includes(null)) return "";
  const list = new Intl.ListFormat("en-GB").format(times.map((time) => time.toFixed(1)));
  return `Server time: ${list} milliseconds.`;
}

function updateTools() {
  find("#undo").disabled = !pad.canUndo;
  find("#clear").disabled = pad.isEmpty;
  find("#invitation").hidden = !pad.isEmpty && pad.isShown;
  find("#invitation").textContent = pad.isEmpty ? "Draw here" : "This browser cannot show the picture";
}

async function usePicture(picture) {
  const { blob, bitmap } = await picture;
  pad.show(blob, bitmap);
}

/** Show how accurate the served models are. */
async function showReport(signal) {
  try {
    const [metrics] = await Promise.all([service.metrics(), loadClassifiers()]);
    find("#report").replaceChildren(...makeReport(metrics, classifiers));
    find("#report").removeAttribute("aria-busy");
    await loadWeights((name) => metrics[name].version);
    if (pad.isEmpty) warn(null);
  } catch (error) {
    await handle(error, signal, () => showReport(signal));
  }
}

pad.addEventListener("change", predict);
pad.addEventListener("begin", () => {
  find("#invitation").hidden = true;
});
pad.addEventListener("pen", ({ detail }) => {
  announce(`Pen ${detail}.`);
});
find("#undo").addEventListener("click", () => pad.undo());
find("#clear").addEventListener("click", () => pad.clear());
find("#pen").addEventListener("input", ({ target }) => {
  pad.penWidth = target.value / 100;
});
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "z") {
    event.preventDefault();
    pad.undo();
  }
});
watchPictures([find("#choose"), find("#camera")], find(".sheet"), usePicture);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  readingView.repaint();
  if (shown) paintInk(find("#model-input"), shown.ink);
  if (shown?.occlusion) occlusionMap.show(shown.occlusion, shown.ink);
  weightImages.render();
});
showReport(new AbortController().signal);
