// How things are said: names, numbers and reasons in words.

export const NAMES = { convnet: "Convolutional network", softmax: "Softmax regression" };

const REASONS = {
  blank: "There is nothing on it to read.",
  several_digits: "There is more than one digit on it.",
  not_a_digit: "It does not look like a digit.",
  unsure: "No digit stands out.",
};

const DIGIT_NAMES = ["zeros", "ones", "twos", "threes", "fours", "fives", "sixes", "sevens", "eights", "nines"];

export const reason = (name) => REASONS[name] ?? "The model does not trust its answer.";

/** The test images of one digit, as `1,028 sevens`. */
export const some = (count, digit) => `${number(count)} ${DIGIT_NAMES[digit]}`;

export const number = (value) => value.toLocaleString("en-GB");

/** A share as `99.61 %`. What is not quite 1 is not said to be. */
export function percent(share, decimals = 1) {
  const most = 100 - 10 ** -decimals;
  const shown = share < 1 ? Math.min(share * 100, most) : 100;
  return `${shown.toFixed(decimals)}\u202f%`;
}
