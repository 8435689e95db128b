// Takes pictures that are chosen, photographed, pasted or dropped, and prepares them to be shown and sent.

import { encode } from "./encode.js";

const MAX_SIDE = 1600; // in pixels
const MAX_BYTES = 1_500_000;

/**
 * Watch the file inputs, the clipboard and the drop zone for pictures.
 *
 * `take(picture)` is called with a promise of `{blob, bitmap}`. The bitmap is null if the browser cannot show the
 * picture; the server may support its format nevertheless.
 */
export function watchPictures(inputs, dropZone, take) {
  const takeFirst = (files) => {
    const file = [...(files ?? [])][0];
    if (file) take(prepare(file));
    return Boolean(file);
  };
  for (const input of inputs) {
    input.addEventListener("change", () => {
      takeFirst(input.files);
      input.value = ""; // otherwise choosing the same file again would dispatch no event
    });
  }
  document.addEventListener("paste", (event) => {
    if (takeFirst(event.clipboardData?.files)) event.preventDefault();
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
    takeFirst(event.dataTransfer?.files);
  });
}

async function prepare(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    return { blob: file, bitmap: null };
  }
  return { blob: file.size > MAX_BYTES ? reduce(bitmap) : file, bitmap };
}

/** Reduce a picture: sending a phone's photograph takes longer than everything else. */
function reduce(bitmap) {
  const scale = Math.min(1, MAX_SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(bitmap.width * scale);
  canvas.height = Math.round(bitmap.height * scale);
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff"; // the background of transparent pixels, as JPEG has no transparency
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return encode(canvas, "image/jpeg", 0.92);
}
