// Connects the parts of the page: sends each drawing to the service, and shows the answer.

import { AnswerView } from "./answer.js";
import { CallView } from "./call_view.js";
import { listClassifiers } from "./classifiers.js";
import { copy } from "./clipboard.js";
import { CorrectionForm } from "./correction.js";
import { fromPicture, isEmpty, paintWhole, toPictureFile } from "./drawing.js";
import { toFile } from "./encode.js";
import { Explanation } from "./explanation.js";
import { linkTo, pictureIn } from "./link.js";
import { problemText } from "./messages.js";
import { Pad } from "./pad.js";
import { prepare, watchPictures } from "./pictures.js";
import { describePrediction, PredictionCard } from "./prediction.js";
import { loadInk, paintInk } from "./raster.js";
import { ReadingView } from "./reading.js";
import { persist, recognise } from "./recognition.js";
import { makeReport } from "./report.js";
import * as service from "./service.js";
import { Session } from "./session.js";
import { SessionTable } from "./session_table.js";
import { TokenForm } from "./token.js";

const find = (selector) => document.querySelector(selector);
const MAX_FILES = 50; // that are read at once
const PAINTED_SIDE = 1200; // of the picture behind the boxes, in pixels

const pad = new Pad(find("#pad"));
const session = new Session();
const answerView = new AnswerView(find("#answer"), announce);
const callView = new CallView(find("#call"), announce);
const correction = new CorrectionForm(find("#correction"), sendCorrection);
const explanation = new Explanation(find("#explanation"));
const readingView = new ReadingView(find("#reading"), { paint: (canvas) => paintWhole(canvas, pad.drawing, PAINTED_SIDE), open: openDigit });
const sessionTable = new SessionTable(find("#session"), session, goBack);
const tokenForm = new TokenForm(find("#token"), (token) => {
  service.useToken(token);
  answer();
});

let loading = null; // the promise of the classifiers, once they are requested
let classifiers = []; // those that are served, the default model first
let cards = new Map(); // the card of each classifier, by its name
let current = new AbortController(); // of what was asked last: whatever is asked next aborts it
let shown = null; // {ink, seen} of the shown answer

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
  explanation.setClassifiers(found);
}

/** Abort what was asked before, and return the signal for what is asked now: answers keep the order of the questions. */
function supersede() {
  current.abort();
  current = new AbortController();
  return current.signal;
}

/** Ask all models what is on the pad, and show their answers. */
async function answer() {
  const signal = supersede();
  const { drawing } = pad;
  readingView.expire();
  updateTools();
  if (isEmpty(drawing)) return showNothing();
  const picture = toPictureFile(drawing);
  try {
    const recognised = await persist(() => ask(picture, signal), signal, (message) => {
      warn(message);
      hideAnswer();
      answerView.wait("Waiting for the server");
    });
    signal.throwIfAborted();
    session.add(drawing, recognised);
    await showAnswer(picture, drawing, recognised, signal);
  } catch (error) {
    if (signal.aborted) return;
    const problem = fail(error, drawing.picture?.name, picture);
    if (drawing.picture) session.addProblem(drawing, problem);
  }
}

async function ask(picture, signal) {
  await loadClassifiers();
  return recognise(picture, classifiers.map(({ name }) => name), signal);
}

async function showAnswer(picture, drawing, { answers, reading, problem }, signal) {
  warn(problem);
  const name = drawing.picture?.name ?? "drawing.png";
  callView.show(picture, name, reading ? "read" : "predict", service.hasToken());
  if (reading) {
    answerView.showReading(reading);
    return readingView.show(reading);
  }
  readingView.hide();
  answerView.show(answers[0].prediction);
  await showPredictions(picture, answers, signal);
  offerCorrection(drawing, answers[0].prediction);
}

/** Show the predictions for one digit of a reading: that of the default model, and those of the others for its image. */
async function openDigit(digit, index, introduction) {
  const signal = supersede();
  const { drawing } = pad;
  try {
    const image = toFile(digit.seen);
    const [{ name }, ...others] = classifiers;
    const read = { prediction: { ...digit, model: name }, milliseconds: null };
    const answers = [read, ...(await Promise.all(others.map((other) => service.predict(image, other.name, signal))))];
    await showPredictions(image, answers, signal, introduction);
    offerCorrection(drawing, digit, index);
  } catch (error) {
    if (!signal.aborted) fail(error);
  }
}

/** Show the predictions of all models. For screen readers, `introduction` says of what. */
async function showPredictions(picture, answers, signal, introduction = "") {
  const { seen } = answers[0].prediction;
  const ink = await loadInk(seen);
  signal.throwIfAborted();
  shown = { ink, seen };
  for (const { prediction } of answers) cards.get(prediction.model).show(prediction);
  paintInk(find("#model-input"), ink);
  find("#time").textContent = describeTime(answers);
  find("#link").textContent = "Copy a link to it";
  find("#details").hidden = false;
  const sentences = answers.map(({ prediction }, index) => describePrediction(classifiers[index].title, prediction));
  announce([introduction, ...sentences].join(" "));
  explanation.show(picture, ink, signal);
}

function offerCorrection(drawing, { prediction_id: id }, index = null) {
  correction.offer(id, (label) => session.correct(drawing, label, index));
}

async function sendCorrection(predictionId, label) {
  try {
    await service.correct(predictionId, label);
    return null;
  } catch (error) {
    return problemText(error);
  }
}

/** Show the empty pad, with the samples. */
function showNothing() {
  warn(null);
  announce("");
  hideAnswer();
  answerView.hide();
}

/** Remove what belongs to an earlier picture. */
function hideAnswer() {
  shown = null;
  find("#details").hidden = true;
  readingView.hide();
  callView.hide();
  explanation.reset();
}

/** Show an error that does not pass by itself, and return its message. */
function fail(error, name, file) {
  if (!(error instanceof service.ServiceError || error instanceof service.Unreachable)) throw error;
  const message = problemText(error, name, file);
  hideAnswer();
  answerView.wait("No answer");
  if (error.kind === "unauthenticated") tokenForm.ask();
  warn(message);
  return message;
}

/** Tell screen readers a message. */
function announce(message) {
  find("#status").textContent = message;
}

/** Show a message above the answer, or none for null. */
function warn(message) {
  const notice = find("#notice");
  notice.hidden = message === null;
  notice.textContent = message ?? "";
}

function describeTime(answers) {
  const times = answers.map(({ milliseconds }) => milliseconds);
  if (times.includes(null)) return "";
  const list = new Intl.ListFormat("en-GB").format(times.map((time) => time.toFixed(1)));
  return `The server took ${list} milliseconds.`;
}

function updateTools() {
  const { drawing } = pad;
  const isBlank = isEmpty(drawing);
  find("#undo").disabled = !pad.canUndo;
  find("#clear").disabled = isBlank;
  find("#eraser").disabled = !drawing.strokes.length;
  if (!drawing.strokes.length) useEraser(false);
  find("#samples").hidden = !isBlank;
  find("#invitation").hidden = !isBlank && drawing.picture?.bitmap !== null;
  find("#invitation").textContent = isBlank ? "Draw here: a digit, or a number" : "Your browser cannot show this picture. The models can read it.";
}

function useEraser(erases) {
  pad.erases = erases;
  find("#eraser").setAttribute("aria-pressed", erases);
}

/** Put a picture on the pad, unless something else is asked before it is ready. */
async function takePicture(file, name) {
  const signal = supersede();
  const picture = await prepare(file, name);
  if (!signal.aborted) pad.show(fromPicture(picture));
}

/** Read several pictures, one after the other, into the table of this session. The first is on the pad, too. */
async function takePictures(files) {
  if (files.length === 1) return takePicture(files[0]);
  const taken = files.slice(0, MAX_FILES);
  const { signal } = new AbortController(); // nothing aborts it: people may draw meanwhile
  for (const [index, file] of taken.entries()) {
    sessionTable.progress = `Reading picture ${index + 1} of ${taken.length}.`;
    const drawing = fromPicture(await prepare(file));
    try {
      session.add(drawing, await persist(() => ask(drawing.picture.blob, signal), signal, warn));
    } catch (error) {
      session.addProblem(drawing, problemText(error, file.name, file));
    }
    if (!index) sessionTable.reveal();
  }
  sessionTable.progress = files.length > MAX_FILES ? `Only the first ${MAX_FILES} of ${files.length} pictures were read.` : "";
}

async function goBack(drawing) {
  const { picture } = drawing;
  const signal = supersede();
  const restored = picture ? { ...drawing, picture: await prepare(picture.blob, picture.name) } : drawing;
  if (signal.aborted) return;
  pad.show(restored);
  find(".drawing").scrollIntoView({ block: "start" });
}

/** Open the picture in the fragment of the address, if there is one. */
async function openLink() {
  const url = pictureIn(location.hash);
  if (url) await takePicture(toFile(url), "Picture of the link");
}

async function copyLink() {
  const link = linkTo(shown.seen);
  const isCopied = await copy(link);
  if (!isCopied) history.replaceState(null, "", link);
  find("#link").textContent = isCopied ? "Link copied" : "The link is in the address bar";
  announce(find("#link").textContent);
}

/** Load how accurate the served models are, when the section is opened first. */
async function showReport() {
  if (!find("#accuracy").open || !find("#report").hasAttribute("aria-busy")) return;
  const { signal } = new AbortController();
  const [metrics] = await persist(() => Promise.all([service.metrics(), loadClassifiers()]), signal, warn);
  find("#report").replaceChildren(...makeReport(metrics, classifiers));
  find("#report").removeAttribute("aria-busy");
  if (isEmpty(pad.drawing)) warn(null);
}

pad.addEventListener("change", answer);
pad.addEventListener("begin", () => {
  supersede();
  find("#invitation").hidden = true;
});
pad.addEventListener("pen", ({ detail }) => announce(`Pen ${detail}.`));
find("#undo").addEventListener("click", () => pad.undo());
find("#clear").addEventListener("click", () => pad.clear());
find("#eraser").addEventListener("click", () => useEraser(!pad.erases));
find("#pen").addEventListener("input", ({ target }) => {
  pad.penWidth = target.value / 100;
});
find("#link").addEventListener("click", copyLink);
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "z") {
    event.preventDefault();
    pad.undo();
  }
});
watchPictures([find("#choose"), find("#camera")], find(".sheet"), takePictures);
for (const button of document.querySelectorAll(".samples button")) {
  const image = button.querySelector("img");
  button.addEventListener("click", async () => takePicture(await (await fetch(image.src)).blob(), image.alt));
}
for (const link of document.querySelectorAll("nav a[href^='#']")) {
  link.addEventListener("click", () => {
    find(link.hash).open = true;
  });
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  readingView.repaint();
  explanation.repaint();
  if (shown) paintInk(find("#model-input"), shown.ink);
});
find("#accuracy").addEventListener("toggle", showReport);
if (matchMedia("(min-width: 62rem)").matches) for (const id of ["#explanation", "#accuracy"]) find(id).open = true;
addEventListener("hashchange", openLink);
updateTools();
openLink();
