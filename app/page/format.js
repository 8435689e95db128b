// Formats numbers and reasons as text.

const REASONS = {
  blank: "The picture is blank.",
  several_digits: "There seems to be more than one digit.",
  not_a_digit: "This does not look like a digit.",
  unsure: "It could be another digit as well.",
};

const PLURALS = ["zeros", "ones", "twos", "threes", "fours", "fives", "sixes", "sevens", "eights", "nines"];
const ARTICLES = ["a", "a", "a", "a", "a", "a", "a", "a", "an", "a"];

/** Return the text for the `reason` of an abstention. */
export const reasonText = (reason) => REASONS[reason] ?? "The model is not sure enough.";

/** Return a number of images of one digit, as `1,028 sevens`. */
export const countDigits = (count, digit) => `${number(count)} ${PLURALS[digit]}`;

/** Return a digit with its article, as `an 8`. */
export const aDigit = (digit) => `${ARTICLES[digit]} ${digit}`;

export const number = (value) => value.toLocaleString("en-GB");

/** Return a share, 0 to 1, as `99.6 %`. A share below 1 is never rounded up to 100 %. */
export function percent(share, decimals = 1) {
  const largest = 100 - 10 ** -decimals;
  const shown = share < 1 ? Math.min(share * 100, largest) : 100;
  return `${shown.toFixed(decimals)}\u202f%`;
}
