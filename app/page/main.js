// Connects the parts of the page: asks the service about each drawing, and shows the answer.

import { listClassifiers } from "./classifiers.js";
import { EMPTY, fromPicture, isEmpty, toPictureFile } from "./drawing.js";
import { toFile } from "./encode.js";
import { pictureIn } from "./link.js";
import { problemText } from "./messages.js";
import { announce, warn } from "./notice.js";
import { Pad } from "./pad.js";
import { prepare, watchPictures } from "./pictures.js";
import { persist, recognise } from "./recognition.js";
import { makeReport } from "./report.js";
import { Result } from "./result.js";
import * as service from "./service.js";
import { Session } from "./session.js";
import { SessionTable } from "./session_table.js";
import { TokenForm } from "./token.js";

const LINKED = "Picture of a link"; // its name
const MAX_FILES = 50; // that are read at once
const NEVER = new AbortController().signal; // of what nothing aborts
const find = (selector) => document.querySelector(selector);

const pad = new Pad(find("#pad"));
const session = new Session();
const sessionTable = new SessionTable(find("#session"), session, goBack);
const result = new Result({
  send: sendCorrection,
  note: (drawing, label, index) => session.correct(drawing, label, index),
  open: openDigit,
});
const tokenForm = new TokenForm(find("#token"), (token) => {
  service.useToken(token);
  answer();
});

let loading = null; // the promise of the classifiers, once they are requested
let classifiers = []; // those that are served, the default model first
let current = new AbortController(); // of what was asked last: whatever is asked next aborts it

/** Find out which classifiers the service has. */
async function loadClassifiers() {
  loading ??= service.models();
  try {
    const found = listClassifiers(await loading);
    if (!found.length) throw new service.ServiceError({ detail: "No model is ready yet." }, 503, 1);
    if (classifiers.length) return;
    classifiers = found;
    result.setClassifiers(found);
  } catch (error) {
    loading = null;
    throw error;
  }
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
  result.expire();
  updateTools(drawing);
  if (drawing.picture?.name !== LINKED && pictureIn(location.hash)) history.replaceState(null, "", location.pathname);
  if (isEmpty(drawing)) {
    warn(null);
    return result.hide();
  }
  const picture = toPictureFile(drawing);
  try {
    const recognised = await ask(picture, signal, (message) => {
      warn(message);
      result.hide();
    });
    signal.throwIfAborted();
    session.add(drawing, recognised);
    warn(recognised.problem);
    await result.show(picture, drawing, recognised, signal);
  } catch (error) {
    if (signal.aborted) return;
    const problem = fail(error, drawing.picture?.name, picture);
    if (drawing.picture) session.addProblem(drawing, problem);
  }
}

/** Ask all models what is in a picture. `tell(message)` is called when that has to wait. */
function ask(picture, signal, tell) {
  const request = async () => {
    await loadClassifiers();
    return recognise(picture, classifiers.map(({ name }) => name), signal);
  };
  return persist(request, signal, tell);
}

/** Show another digit of a reading. */
async function openDigit(show) {
  const signal = supersede();
  try {
    await show(signal);
  } catch (error) {
    if (!signal.aborted) fail(error);
  }
}

/** Show an error that does not pass by itself, and return its message. */
function fail(error, name, file) {
  const message = explain(error, name, file);
  result.hide();
  warn(message);
  return message;
}

/** Return the message for an error of the service, and ask for a token if it needs one. Other errors are bugs. */
function explain(error, name, file) {
  if (!(error instanceof service.ServiceError || error instanceof service.Unreachable)) throw error;
  if (error.kind === "unauthenticated") tokenForm.ask();
  return problemText(error, name, file);
}

async function sendCorrection(predictionId, label) {
  try {
    await service.correct(predictionId, label);
    return null;
  } catch (error) {
    return explain(error);
  }
}

/** Put a picture on the pad, unless something else is asked before it is ready. */
async function takePicture(file, name) {
  const signal = supersede();
  const picture = await prepare(file, name);
  if (!signal.aborted) pad.show(fromPicture(picture));
}

/** Put one file on the pad, or read several, one after the other, into the table of this session. */
async function takeFiles(files) {
  if (files.length === 1) return takePicture(files[0]);
  const taken = files.slice(0, MAX_FILES);
  for (const [index, file] of taken.entries()) {
    sessionTable.showProgress(`Reading picture ${index + 1} of ${taken.length}.`);
    const drawing = fromPicture(await prepare(file));
    try {
      session.add(drawing, await ask(drawing.picture.blob, NEVER, (message) => sessionTable.showProgress(message)));
    } catch (error) {
      session.addProblem(drawing, explain(error, file.name, file));
    }
  }
  sessionTable.showProgress(files.length > MAX_FILES ? `The first ${MAX_FILES} of ${files.length} pictures were read.` : "");
}

/** Put an earlier drawing on the pad again. */
async function goBack(drawing) {
  const signal = supersede();
  const { picture } = drawing;
  const restored = picture ? { ...drawing, picture: await prepare(picture.blob, picture.name) } : drawing;
  if (signal.aborted) return;
  pad.show(restored);
  find(".drawing").scrollIntoView();
}

/** Open the picture in the fragment of the address, if there is one. */
async function openLink() {
  const url = pictureIn(location.hash);
  if (url) return takePicture(toFile(url), LINKED);
  if (location.hash.startsWith("#picture=")) warn("The link is incomplete, so its picture cannot be shown.");
}

/** Show how accurate the served models are, once the section is open. */
async function showReport() {
  const report = find("#report");
  if (!find("#accuracy").open || !report.hasAttribute("aria-busy")) return;
  const [metrics] = await persist(() => Promise.all([service.metrics(), loadClassifiers()]), NEVER, (message) => {
    report.textContent = message;
  });
  report.replaceChildren(...makeReport(metrics, classifiers));
  report.removeAttribute("aria-busy");
}

function updateTools(drawing) {
  const isBlank = isEmpty(drawing);
  find("#undo").disabled = !pad.canUndo;
  find("#clear").disabled = isBlank;
  find("#eraser").disabled = !drawing.strokes.length;
  if (!drawing.strokes.length) useEraser(false);
  find("#samples").hidden = !isBlank;
  find("#invitation").hidden = !isBlank && drawing.picture?.bitmap !== null;
  find("#invitation").textContent = isBlank ? "Draw a digit or a number here" : "Your browser cannot show this file";
}

function useEraser(erases) {
  pad.erases = erases;
  find("#eraser").setAttribute("aria-pressed", erases);
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
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "z") {
    event.preventDefault();
    pad.undo();
  }
});
watchPictures([find("#choose"), find("#camera")], find(".sheet"), takeFiles);
for (const image of document.querySelectorAll(".samples img")) {
  image.parentElement.addEventListener("click", async () => takePicture(await (await fetch(image.src)).blob(), image.alt));
}
for (const link of document.querySelectorAll("nav a[href^='#']")) {
  link.addEventListener("click", () => {
    find(link.hash).open = true;
  });
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => result.repaint());
find("#accuracy").addEventListener("toggle", showReport);
if (matchMedia("(min-width: 62rem)").matches) for (const id of ["#explanation", "#accuracy"]) find(id).open = true;
addEventListener("hashchange", openLink);
updateTools(EMPTY);
openLink();
