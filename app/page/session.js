// The pictures of this session, with their answers and corrections. They are kept in memory until the page is closed.

const COLUMNS = ["picture", "answer", "confidence", "abstained", "reason", "model", "version", "correction", "problem"];

/** A list of entries `{drawing, name, seen, answer, confidence, abstained, reason, model, version, corrections, problem}`. */
export class Session extends EventTarget {
  #entries = new Map(); // by the ids of their drawings, in the order of their first answers

  get entries() {
    return [...this.#entries.values()];
  }

  get(drawing) {
    return this.#entries.get(drawing.id);
  }

  /** Add the prediction of one digit, or a reading of several. It replaces an earlier answer for the same drawing. */
  add(drawing, { answers, reading }) {
    const [{ prediction }] = answers;
    const { model, version, seen } = prediction;
    if (reading) return this.#set(drawing, { ...summarise(reading), model, version });
    const { digit, confidence, abstained, reason } = prediction;
    this.#set(drawing, { answer: reason === "blank" ? "" : String(digit), confidence, abstained, reason, model, version, seen });
  }

  /** Add a picture that has no answer, and the message that says why. */
  addProblem(drawing, problem) {
    this.#set(drawing, { answer: "", problem });
  }

  /** Note the correct label of a drawing, or of the digit with this index. */
  correct(drawing, label, index = null) {
    const entry = this.get(drawing);
    if (!entry) return;
    entry.corrections.set(index, label);
    this.#changed();
  }

  /** Return all entries as CSV, as in RFC 4180. */
  toCsv() {
    const rows = this.entries.map((entry) => {
      const values = { ...entry, picture: entry.name, correction: correctionText(entry) };
      return COLUMNS.map((column) => cell(values[column]));
    });
    return [COLUMNS, ...rows].map((row) => `${row.join(",")}\r\n`).join("");
  }

  #set({ id, strokes, picture }, answer) {
    // Without the bitmap, which takes much more memory than the file.
    const drawing = { id, strokes, picture: picture && { blob: picture.blob, name: picture.name } };
    const drawn = this.entries.filter((entry) => !entry.drawing.picture).length;
    const old = this.#entries.get(id);
    const name = old?.name ?? picture?.name ?? `Drawing ${drawn + 1}`;
    const corrections = old?.drawing.strokes === strokes ? old.corrections : new Map(); // it may be shown again
    this.#entries.set(id, { drawing, name, problem: null, ...answer, corrections });
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

/** Return the answer, the lowest confidence and the first image of a reading. */
function summarise({ text, lines }) {
  const digits = lines.flatMap((line) => line.digits);
  const confidence = Math.min(...digits.map((digit) => digit.confidence));
  return { answer: text, confidence, abstained: digits.some((digit) => digit.abstained), reason: null, seen: digits[0].seen };
}

/** Return the corrections of an entry as text: `7`, or `digit 2: 7` for the digits of a number. */
export function correctionText({ corrections }) {
  const texts = [...corrections].map(([index, label]) => (index === null ? label : `digit ${index + 1}: ${label}`));
  return texts.join("; ").replaceAll("not_a_digit", "not a digit");
}

/** Return a value as a cell. A text that a spreadsheet would take for a formula begins with an apostrophe. */
function cell(value) {
  const text = String(value ?? "");
  return `"${(/^[=+@\t\r-]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;
}
