// Turns a canvas into a picture file.

/**
 * Get what is on `canvas` as a file of `type`; `quality`, from 0 to 1, is for types that lose some of it.
 *
 * At once: `toBlob` waits until the browser is idle, and on a busy machine now and then for ever.
 */
export function encode(canvas, type, quality) {
  const [, base64] = canvas.toDataURL(type, quality).split(",");
  return new Blob([Uint8Array.from(atob(base64), (byte) => byte.charCodeAt(0))], { type });
}
