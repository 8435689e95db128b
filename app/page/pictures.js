// Takes picture files that are chosen, photographed, pasted or dropped, and prepares them to be shown and sent.

import { encode } from "./encode.js";

const MAX_SIDE = 1600; // in pixels
const MAX_BYTES = 1_500_000;

/** Watch the file inputs, the clipboard and the drop zone. `take(files)` is called with one file or several. */
export function watchPictures(inputs, dropZone, take) {
  const takeFiles = (list) => {
    const files = [...(list ?? [])];
    if (files.length) take(files);
    return files.length > 0;
  };
  for (const input of inputs) {
    input.addEventListener("change", () => {
      takeFiles(input.files);
      input.value = ""; // otherwise choosing the same file again would dispatch no event
    });
  }
  document.addEventListener("paste", (event) => {
    if (takeFiles(event.clipboardData?.files)) event.preventDefault();
  });
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    dropZone.classList.add("dropping");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) dropZone.classList.remove("dropping");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    dropZone.classList.remove("dropping");
    takeFiles(event.dataTransfer?.files);
  });
}

/**
 * Prepare a file: return `{blob, bitmap, name}`, with a canvas or a bitmap to be shown, and the file to be sent.
 *
 * The bitmap is null if the browser cannot show the picture; the server may support its format nevertheless.
 */
export async function prepare(file, name = file.name) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    return { blob: file, bitmap: null, name };
  }
  if (Math.max(bitmap.width, bitmap.height) > MAX_SIDE) bitmap = reduce(bitmap);
  return { blob: file.size > MAX_BYTES ? encode(onWhite(bitmap), "image/jpeg", 0.92) : file, bitmap, name };
}

/** Reduce a picture: a phone's photograph takes much memory, and sending it takes longer than everything else. */
function reduce(bitmap) {
  const scale = MAX_SIDE / Math.max(bitmap.width, bitmap.height);
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas;
}

/** Return a copy of a picture with white behind its transparent pixels, as JPEG has no transparency. */
function onWhite(picture) {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: picture.width, height: picture.height });
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(picture, 0, 0);
  return canvas;
}
