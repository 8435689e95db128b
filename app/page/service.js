// Asks the service. Knows its routes and how it fails, and nothing of the page.

const TOKEN = "token"; // kept for this tab, until it is closed

/** The service answered that it will not, or cannot: `message` is its own, for people. */
export class Refused extends Error {
  constructor(problem, status, retrySeconds) {
    super(problem.detail);
    this.status = status;
    this.retrySeconds = retrySeconds;
  }

  /** Whether the same request may be answered a little later. */
  get passing() {
    return this.status === 503 || this.status === 504;
  }

  /** Whether a token was not sent, or not the right one. */
  get wantsToken() {
    return this.status === 401;
  }
}

/** There was no answer at all. */
export class Gone extends Error {}

/** Send this token from now on. */
export function useToken(token) {
  sessionStorage.setItem(TOKEN, token);
}

/** Read the picture with one model: `{prediction, milliseconds}`, the time that of the server alone. */
export async function predict(picture, model, signal) {
  const response = await ask(`predict?model=${model}&seen=true`, send(picture, signal));
  return { prediction: await response.json(), milliseconds: serverTime(response) };
}

/** Find out what the answer to a picture hangs on. */
export async function explain(picture, model, signal) {
  return (await ask(`explain?model=${model}`, send(picture, signal))).json();
}

/** Say what a prediction should have been: a digit, or `not_a_digit`. */
export async function correct(predictionId, label) {
  const body = JSON.stringify({ prediction_id: predictionId, label });
  await ask("feedback", { method: "POST", body, headers: { "Content-Type": "application/json" } });
}

/** Get the weight images of one version of a model. */
export async function weights(model, version) {
  return (await ask(`models/${model}/weights?version=${version}`)).json();
}

/** Get the test report of each model that is served, by its name. */
export async function metrics() {
  return (await (await ask("metrics", { headers: { Accept: "application/json" } })).json()).models;
}

/** Get every model, its versions and their cards. */
export async function models() {
  return (await (await ask("models")).json()).models;
}

/** Tell whether every model answers. */
export async function isReady() {
  try {
    return (await fetch("health/ready", { cache: "no-store" })).ok;
  } catch {
    return false;
  }
}

function send(picture, signal) {
  return { method: "POST", body: picture, headers: { "Content-Type": picture.type || "application/octet-stream" }, signal };
}

async function ask(path, options = {}) {
  const token = sessionStorage.getItem(TOKEN);
  const headers = token === null ? options.headers : { ...options.headers, Authorization: `Bearer ${token}` };
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Gone("The server cannot be reached.", { cause: error });
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

async function refusal(response) {
  const retrySeconds = Number(response.headers.get("Retry-After")) || 1;
  const isProblem = response.headers.get("Content-Type")?.startsWith("application/problem+json");
  const problem = isProblem ? await response.json() : { detail: `The server answered ${response.status}.` };
  return new Refused(problem, response.status, retrySeconds);
}

function serverTime(response) {
  const [, milliseconds] = /total;dur=([\d.]+)/.exec(response.headers.get("Server-Timing") ?? "") ?? [];
  return milliseconds === undefined ? null : Number(milliseconds);
}
