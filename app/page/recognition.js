// Asks the service what is in a picture: one digit, or several. Knows nothing of the page.

import * as service from "./service.js";

const NOT_READ = "There seem to be several digits, but they could not be read one by one.";

/**
 * Ask the models for a digit, and read all digits if the first model abstains from predicting one.
 *
 * Return `{answers, reading, problem}`: the answers of the models, a reading that says more than these, or null, and a
 * message for people, or null.
 */
export async function recognise(picture, models, signal) {
  const answers = await Promise.all(models.map((model) => service.predict(picture, model, signal)));
  const { reason } = answers[0].prediction;
  if (reason === null || reason === "blank") return { answers, reading: null, problem: null };
  return { answers, ...(await read(picture, models[0], reason === "several_digits", signal)) };
}

async function read(picture, model, isNumber, signal) {
  try {
    const reading = await service.read(picture, model, signal);
    const digits = reading.lines.flatMap((line) => line.digits);
    if (isNumber ? digits.length : digits.length > 1 && digits.some(({ abstained }) => !abstained)) return { reading, problem: null };
  } catch (error) {
    if (!(error instanceof service.ServiceError)) throw error;
  }
  return { reading: null, problem: isNumber ? NOT_READ : null };
}

/** Run a request again and again until it succeeds or fails for good. `tell(message)` is called before each pause. */
export async function persist(request, signal, tell) {
  for (;;) {
    try {
      return await request();
    } catch (error) {
      if (signal.aborted) throw error;
      if (error instanceof service.Unreachable) {
        tell("The server cannot be reached. Your picture is kept and will be sent again as soon as the server is back.");
        await waitUntilReady(signal);
      } else if (error instanceof service.ServiceError && error.isTemporary) {
        tell("The server is busy or still starting. Your picture is sent again in a moment.");
        await pause(error.retrySeconds * 1000);
      } else {
        throw error;
      }
      signal.throwIfAborted();
    }
  }
}

async function waitUntilReady(signal) {
  do {
    await pause(1000);
  } while (!signal.aborted && !(await service.isReady()));
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
