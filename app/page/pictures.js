// Pictures that are chosen, photographed, pasted or dropped, made ready to be shown and sent.

import { encode } from "./encode.js";

const LONGEST_SIDE = 1600;
const MOST_BYTES = 1_500_000;

/**
 * Watch for pictures from everywhere they can come from.
 *
 * `take(picture)` is given a promise of `{blob, bitmap}`; the bitmap is null where the browser cannot show the picture,
 * which the server may be able to read all the same.
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
      input.value = ""; // so that the same file can be chosen again
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
  return { blob: file.size > MOST_BYTES ? reduce(bitmap) : file, bitmap };
}

/** Make a picture smaller: a phone's photograph takes longer to send than anything else here takes. */
function reduce(bitmap) {
  const scale = Math.min(1, LONGEST_SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(bitmap.width * scale);
  canvas.height = Math.round(bitmap.height * scale);
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff"; // behind what is transparent
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return encode(canvas, "image/jpeg", 0.92);
}
