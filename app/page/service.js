// Sends requests to the service. Knows its routes and errors, and nothing of the page.

const TOKEN = "token"; // the key in the session storage, which the browser keeps until the tab is closed

/** The service answered with an error status. `kind` is the name of the problem, and `message` the service's own text. */
export class ServiceError extends Error {
  constructor(problem, status, retrySeconds) {
    super(problem.detail);
    this.kind = problem.type?.split(":").at(-1);
    this.status = status;
    this.retrySeconds = retrySeconds;
  }

  /** Whether the same request may succeed a little later. */
  get isTemporary() {
    return this.status === 503 || this.status === 504;
  }

  /** Whether the token was missing or wrong. */
  get needsToken() {
    return this.status === 401;
  }
}

/** The service did not answer. */
export class Unreachable extends Error {}

/** Send this token with every request from now on. */
export function useToken(token) {
  sessionStorage.setItem(TOKEN, token);
}

/** Whether requests have a token. */
export const hasToken = () => sessionStorage.getItem(TOKEN) !== null;

/** Return the prediction of one model for a picture: `{prediction, milliseconds}`, with the time in the server alone. */
export async function predict(picture, model, signal) {
  const response = await request(`predict?model=${model}&seen=true`, post(picture, signal));
  return { prediction: await response.json(), milliseconds: serverTime(response) };
}

/** Return all digits in a picture, in reading order. */
export async function read(picture, model, signal) {
  return (await request(`read?model=${model}&seen=true`, post(picture, signal))).json();
}

/** Return the occlusion of a picture: how the prediction changes with each square covered. */
export async function explain(picture, model, signal) {
  return (await request(`explain?model=${model}`, post(picture, signal))).json();
}

/** Store the correct label of a prediction: a digit, or `not_a_digit`. */
export async function correct(predictionId, label) {
  const body = JSON.stringify({ prediction_id: predictionId, label });
  await request("feedback", { method: "POST", body, headers: { "Content-Type": "application/json" } });
}

/** Return the weight images of one version of a model. */
export async function weights(model, version) {
  return (await request(`models/${model}/weights?version=${version}`)).json();
}

/** Return the test report of each served model, by the model's name. */
export async function metrics() {
  return (await (await request("metrics", { headers: { Accept: "application/json" } })).json()).models;
}

/** Return all models with their versions and model cards, and the name of the default model. */
export async function models() {
  return (await request("models")).json();
}

/** Tell whether the service is ready to answer. */
export async function isReady() {
  try {
    return (await fetch("health/ready", { cache: "no-store" })).ok;
  } catch {
    return false;
  }
}

function post(picture, signal) {
  return { method: "POST", body: picture, headers: { "Content-Type": picture.type || "application/octet-stream" }, signal };
}

async function request(path, options = {}) {
  const token = sessionStorage.getItem(TOKEN);
  const headers = token === null ? options.headers : { ...options.headers, Authorization: `Bearer ${token}` };
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Unreachable("The server cannot be reached.", { cause: error });
  }
  if (!response.ok) throw await toError(response);
  return response;
}

async function toError(response) {
  const retrySeconds = Number(response.headers.get("Retry-After")) || 1;
  const isProblem = response.headers.get("Content-Type")?.startsWith("application/problem+json");
  const problem = isProblem ? await response.json() : { detail: `The server answered with status ${response.status}.` };
  return new ServiceError(problem, response.status, retrySeconds);
}

function serverTime(response) {
  const [, milliseconds] = /total;dur=([\d.]+)/.exec(response.headers.get("Server-Timing") ?? "") ?? [];
  return milliseconds === undefined ? null : Number(milliseconds);
}
