import numpy as np

from training.data.examples import NOT_A_DIGIT, Examples
from training.data.synthetic_examples import generate_digits
from training.data.threshold_examples import draw_digits, draw_symbols, threshold_examples

DIGITS = generate_digits(40, np.random.default_rng(2))


def test_the_digits_come_first_then_drawings_corruptions_and_symbols() -> None:
    examples = threshold_examples(DIGITS)
    np.testing.assert_array_equal(examples.images[:40], DIGITS.images)
    np.testing.assert_array_equal(examples.labels[:40], DIGITS.labels)
    digits = int((examples.labels != NOT_A_DIGIT).sum())
    assert 40 + 8 + 14 < digits <= 40 + 8 + 20  # a few drawings cannot be told from dirt
    assert 10 < len(examples) - digits <= 20
    assert (examples.labels[digits:] == NOT_A_DIGIT).all()


def test_the_same_seed_gives_the_same_examples() -> None:
    first, again, other = (threshold_examples(DIGITS, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.images, again.images)
    assert first.images[40:60].tobytes() != other.images[40:60].tobytes()


def test_symbols_can_be_left_out() -> None:
    assert NOT_A_DIGIT not in threshold_examples(DIGITS, with_symbols=False).labels


def test_drawings_resemble_their_digits_and_are_not_the_same() -> None:
    rng = np.random.default_rng(4)
    drawn = draw_digits(Examples(DIGITS.images[:10], DIGITS.labels[:10]), rng)
    overlaps = [
        float(np.corrcoef(image.ravel(), DIGITS.images[label].ravel())[0, 1])
        for image, label in zip(drawn.images, drawn.labels, strict=True)
    ]
    assert 0.4 < np.median(overlaps) < 0.99


def test_drawn_symbols_are_labelled_as_no_digits() -> None:
    symbols = draw_symbols(12, np.random.default_rng(1))
    assert set(symbols.labels.tolist()) == {NOT_A_DIGIT}
    assert len({image.tobytes() for image in symbols.images}) == len(symbols)
