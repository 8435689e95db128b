// Converts canvases and data URLs to picture files.

/**
 * Return the content of `canvas` as a file of the media type `type`. `quality`, 0 to 1, is for lossy types.
 *
 * This is synchronous: `toBlob` waits until the browser is idle, which on a busy machine may never be the case.
 */
export const encode = (canvas, type, quality) => toFile(canvas.toDataURL(type, quality));

/** Return the file that is in a data URL. */
export function toFile(url) {
  const [, type, base64] = /^data:(.*);base64,(.*)$/.exec(url);
  return new Blob([Uint8Array.from(atob(base64), (byte) => byte.charCodeAt(0))], { type });
}
