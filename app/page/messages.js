// What went wrong, in words for people. Knows the names of the service's problems, and nothing of the page.

import { Unreachable } from "./service.js";

const READABLE = "a photo, a scan or a screenshot, such as a JPEG, PNG or HEIC file";

const MESSAGES = {
  "unreadable-picture": (name) => `${name} cannot be opened: the file is damaged or incomplete. Please choose another one.`,
  "picture-too-large": (name) => `${name} has too many pixels. Please choose a smaller picture.`,
  "request-too-large": (name) => `${name} is too large. Please choose a smaller picture.`,
  "request-too-slow": () => "Sending the picture took too long. Please try again, or choose a smaller picture.",
  "deadline-exceeded": () => "The server took too long. Please try again, or choose a smaller picture.",
  "unknown-prediction": () => "This answer is too old to be corrected. Please draw the digit or choose the picture again.",
  "feedback-full": () => "The server has no room for more corrections.",
  "feedback-unavailable": () => "The server cannot store the correction at the moment. Please try again later.",
  unauthenticated: () => "This server requires a token for predictions. Please enter it.",
};

/** Return the message for an error of `service.js`. `name` is that of the picture's file, and `file` its content, if any. */
export function problemText(error, name = "The picture", file = null) {
  if (error instanceof Unreachable) return "The server cannot be reached. Please try again later.";
  if (file?.size === 0) return `${name} is empty. Please choose another file.`;
  if (["unsupported-picture", "unsupported-body"].includes(error.kind)) return notAPicture(name, file);
  return MESSAGES[error.kind]?.(name) ?? `The server could not answer (status ${error.status}). ${error.message}`;
}

function notAPicture(name, file) {
  if (file?.type === "application/pdf" || /\.pdf$/i.test(name)) {
    return `${name} is a PDF, and only pictures can be read. Please take a screenshot of the page, and choose that.`;
  }
  if (file?.type.startsWith("image/")) return `${name} is not a picture that can be read. Please choose ${READABLE}.`;
  return `${name} is not a picture. Please choose ${READABLE}.`;
}
