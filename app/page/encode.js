// Encodes a canvas as a picture file.

/**
 * Return the content of `canvas` as a file of the media type `type`. `quality`, 0 to 1, is for lossy types.
 *
 * This is synchronous: `toBlob` waits until the browser is idle, which on a busy machine may never be the case.
 */
export function encode(canvas, type, quality) {
  const [, base64] = canvas.toDataURL(type, quality).split(",");
  return new Blob([Uint8Array.from(atob(base64), (byte) => byte.charCodeAt(0))], { type });
}
