// Puts the page together: what is drawn goes to the service, what it answers is shown.

import { AnswerCard, say } from "./answer.js";
import { Correction } from "./correction.js";
import { Pad } from "./pad.js";
import { watchPictures } from "./pictures.js";
import { blank, inkOf, paintInk } from "./raster.js";
import { makeReport } from "./report.js";
import * as service from "./service.js";
import { TokenForm } from "./token.js";
import { Evidence, OcclusionMap } from "./why.js";
import { NAMES } from "./words.js";

const find = (selector) => document.querySelector(selector);
const RETRY_MILLISECONDS = 1000;

const pad = new Pad(find("#pad"));
const cards = new Map(Object.keys(NAMES).map((name) => [name, new AnswerCard(find(`[data-model=${name}]`))]));
const occlusionMap = new OcclusionMap(find("#occlusion"), find("#patch"), find("#occlusion-words"));
const evidence = new Evidence(find("#evidence"), find("#evidence-words"));
const correction = new Correction(find("#correction"), service.correct);
const tokenForm = new TokenForm(find("#token"), (token) => {
  service.useToken(token);
  read();
});

let turn = new AbortController(); // of the reading under way: a newer one ends it
let shown = null; // what the last reading left to be painted again: {ink, occlusion}
let weightsOf = null; // the version whose weights are shown

/** Have both models read what is on the pad. */
async function read() {
  turn.abort();
  turn = new AbortController();
  const { signal } = turn;
  updateTools();
  const content = pad.content();
  if (!content) {
    warn(null);
    return reset("Nothing drawn yet");
  }
  try {
    const answers = await Promise.all([...cards.keys()].map((name) => service.predict(content, name, signal)));
    await showAnswers(answers);
    warn(null);
    await showReasons(content, answers, signal);
  } catch (error) {
    if (!signal.aborted) await fail(error, signal, read);
  }
}

async function showAnswers(answers) {
  for (const { prediction } of answers) cards.get(prediction.model).show(prediction);
  correction.offer(answers[0].prediction.prediction_id);
  const ink = await inkOf(answers[0].prediction.seen);
  shown = { ink, occlusion: null };
  paintInk(find("#seen"), ink);
  find("#seen").setAttribute("aria-label", "What the models saw of your picture");
  find("#time").textContent = describeTime(answers);
  find("#status").textContent = answers.map(({ prediction }) => say(NAMES[prediction.model], prediction)).join(" ");
}

async function showReasons(content, answers, signal) {
  evidence.setInk(shown.ink);
  const softmax = answers.find(({ prediction }) => prediction.model === "softmax").prediction;
  const [occlusion] = await Promise.all([service.explain(content, "convnet", signal), loadWeights(softmax.version)]);
  if (signal.aborted) return;
  shown.occlusion = occlusion;
  occlusionMap.show(occlusion, shown.ink);
}

async function loadWeights(version) {
  if (weightsOf === version) return;
  evidence.setWeights(await service.weights("softmax", version));
  weightsOf = version;
}

/** Take back what was answered, lest it be taken for an answer to what is on the pad now. */
function reset(words) {
  shown = null;
  for (const card of cards.values()) card.reset(words);
  blank(find("#seen"));
  find("#seen").setAttribute("aria-label", "Nothing seen yet");
  find("#time").textContent = find("#status").textContent = "";
  occlusionMap.reset();
  evidence.setInk(null);
  correction.offer(null);
}

/** Say what went wrong, and if it will pass, try `again` when it has. */
async function fail(error, signal, again) {
  if (error instanceof service.Gone) {
    warn("The server cannot be reached. What you drew is kept, and read as soon as it is back.");
    if (!pad.isEmpty) reset("Waiting for the server");
    await backAgain(signal);
  } else if (error instanceof service.Refused && error.passing) {
    warn(`The server is busy: ${error.message} Trying again.`);
    if (!pad.isEmpty) reset("Waiting for the server");
    await pause(error.retrySeconds * 1000);
  } else if (error instanceof service.Refused && error.wantsToken) {
    reset("Not read");
    tokenForm.ask();
    return warn("The server reads pictures only for those who send its token.");
  } else if (error instanceof service.Refused) {
    reset("Not read");
    return warn(error.message);
  } else {
    throw error;
  }
  if (!signal.aborted) await again();
}

async function backAgain(signal) {
  do {
    await pause(RETRY_MILLISECONDS);
  } while (!signal.aborted && !(await service.isReady()));
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

function warn(words) {
  const notice = find("#notice");
  notice.hidden = words === null;
  notice.textContent = words ?? "";
}

function describeTime(answers) {
  const times = answers.map(({ milliseconds }) => milliseconds);
  return times.includes(null) ? "" : `The server took ${times.map((time) => time.toFixed(1)).join(" and ")} milliseconds.`;
}

function updateTools() {
  find("#undo").disabled = !pad.canUndo;
  find("#clear").disabled = pad.isEmpty;
  find("#invitation").hidden = !pad.isEmpty && pad.isShown;
  find("#invitation").textContent = pad.isEmpty ? "Draw here" : "A picture that this browser cannot show";
}

async function take(picture) {
  const { blob, bitmap } = await picture;
  pad.show(blob, bitmap);
}

async function report(signal) {
  try {
    const [metrics, models] = await Promise.all([service.metrics(), service.models()]);
    find("#report").replaceChildren(...makeReport(metrics, models));
    find("#report").removeAttribute("aria-busy");
    if ("softmax" in metrics) await loadWeights(metrics.softmax.version);
    if (pad.isEmpty) warn(null);
  } catch (error) {
    await fail(error, signal, () => report(signal));
  }
}

pad.addEventListener("change", read);
pad.addEventListener("begin", () => {
  find("#invitation").hidden = true;
});
pad.addEventListener("pen", ({ detail }) => {
  find("#status").textContent = `Pen ${detail}`;
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
watchPictures([find("#choose"), find("#camera")], find(".sheet"), take);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  if (shown) paintInk(find("#seen"), shown.ink);
  if (shown?.occlusion) occlusionMap.show(shown.occlusion, shown.ink);
  evidence.render();
});
report(new AbortController().signal);
