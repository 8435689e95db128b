// The clipboard.

/** Copy a text, and return whether it worked. Browsers allow it only over HTTPS and from the same machine. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
