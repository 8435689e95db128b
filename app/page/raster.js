// Paints and loads 28x28 images, pixel by pixel, in the colours of the style sheet.

export const SIDE = 28;

/** Return a colour of the style sheet, `--name: r g b`, as three numbers. */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim().split(/\s+/).map(Number);
}

/** Set each pixel to `colourOf(index)`: `[r, g, b, alpha from 0 to 1]`. */
export function paint(canvas, colourOf) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(SIDE, SIDE);
  for (let index = 0; index < SIDE * SIDE; index += 1) {
    const [red, green, blue, alpha] = colourOf(index);
    image.data.set([red, green, blue, alpha * 255], index * 4);
  }
  context.putImageData(image, 0, 0);
}

/** Paint ink, 784 numbers from 0 to 1. */
export function paintInk(canvas, ink) {
  const inkColour = colour("ink-rgb");
  paint(canvas, (index) => [...inkColour, ink[index]]);
}

/** Clear an image. */
export function blank(canvas) {
  canvas.getContext("2d").clearRect(0, 0, SIDE, SIDE);
}

/** Load a 28x28 picture, white ink on black, and return its ink: 784 numbers from 0 to 1. */
export async function loadInk(url) {
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

/** Mix two colours, with a `share` from 0 to 1 of the second. */
export const mix = (first, second, share) => first.map((value, channel) => value + (second[channel] - value) * share);
