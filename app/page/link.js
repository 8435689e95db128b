// Links to a picture: the 28x28 image itself is in the fragment of the address, which is never sent to the server.

const FRAGMENT = /^#picture=(iVBORw0KGgo[\w-]{1,2000})$/; // a PNG file in the base64 of addresses

/** Return the link to the image in a data URL. */
export function linkTo(url) {
  const [, base64] = url.split(",");
  const text = base64.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  return new URL(`#picture=${text}`, location.href).href;
}

/** Return the data URL of the image in the fragment of an address, or null if there is none. */
export function pictureIn(fragment) {
  const [, text] = FRAGMENT.exec(fragment) ?? [];
  return text ? `data:image/png;base64,${text.replaceAll("-", "+").replaceAll("_", "/")}` : null;
}
