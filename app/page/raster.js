// Draws 28x28 images, pixel for pixel, in the page's own colours.

export const SIDE = 28;

/** Get a colour of the style sheet, `--name: r g b`, as three numbers. */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim().split(/\s+/).map(Number);
}

/** Give each pixel what `shade(index)` says: `[r, g, b, alpha from 0 to 1]`. */
export function paint(canvas, shade) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(SIDE, SIDE);
  for (let index = 0; index < SIDE * SIDE; index += 1) {
    const [red, green, blue, alpha] = shade(index);
    image.data.set([red, green, blue, alpha * 255], index * 4);
  }
  context.putImageData(image, 0, 0);
}

/** Show ink, 784 numbers from 0 to 1. */
export function paintInk(canvas, ink) {
  const dark = colour("ink-rgb");
  paint(canvas, (index) => [...dark, ink[index]]);
}

/** Make an image empty. */
export function blank(canvas) {
  canvas.getContext("2d").clearRect(0, 0, SIDE, SIDE);
}

/** Read the ink, 784 numbers from 0 to 1, out of a 28x28 picture at an address. */
export async function inkOf(url) {
  const picture = new Image();
  picture.src = url;
  await picture.decode();
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIDE;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0);
  const { data } = context.getImageData(0, 0, SIDE, SIDE);
  return Float32Array.from({ length: SIDE * SIDE }, (_, index) => data[index * 4] / 255);
}

/** Mix two colours: `share` of the second. */
export const mix = (one, other, share) => one.map((value, channel) => value + (other[channel] - value) * share);
