// The messages of the page: one that everybody sees, above the answer, and one for screen readers.

const notice = document.querySelector("#notice");
const status = document.querySelector("#status");

/** Show a message above the answer, or none for null. */
export function warn(message) {
  notice.hidden = message === null;
  notice.textContent = message ?? "";
}

/** Tell screen readers a message. */
export function announce(message) {
  status.textContent = message;
}
