// Formats numbers and reasons as text.

const REASONS = {
  blank: "The picture is blank.",
  several_digits: "The picture shows more than one digit.",
  not_a_digit: "The picture does not look like a digit.",
  unsure: "No digit is clearly more probable than the others.",
};

const PLURALS = ["zeros", "ones", "twos", "threes", "fours", "fives", "sixes", "sevens", "eights", "nines"];

/** Return the text for the `reason` of an abstention. */
export const reasonText = (reason) => REASONS[reason] ?? "The model's confidence is too low.";

/** Return a number of images of one digit, as `1,028 sevens`. */
export const countDigits = (count, digit) => `${number(count)} ${PLURALS[digit]}`;

export const number = (value) => value.toLocaleString("en-GB");

/** Return a share, 0 to 1, as `99.61 %`. A share below 1 is never rounded up to 100 %. */
export function percent(share, decimals = 1) {
  const largest = 100 - 10 ** -decimals;
  const shown = share < 1 ? Math.min(share * 100, largest) : 100;
  return `${shown.toFixed(decimals)}\u202f%`;
}
