import numpy as np

from benchmarks.scenes.service import Answer
from benchmarks.small_digits import draw_forms, format_row
from imaging import decode, preprocess_picture


def test_each_digit_is_drawn_small_and_enlarged_in_both_colours() -> None:
    ink = np.zeros((1, 8, 8), np.uint8)
    ink[:, 1:7, 3:5] = 16
    forms = draw_forms(ink)
    assert {form: decode(files[0]).shape for form, files in forms.items()} == {
        "light on dark, 8x8": (8, 8),
        "light on dark, enlarged": (160, 160),
        "dark on light, 8x8": (8, 8),
        "dark on light, enlarged": (160, 160),
    }
    assert decode(forms["light on dark, 8x8"][0]).max() == 255
    small, enlarged = (preprocess_picture(forms[f"dark on light, {size}"][0]).image for size in ("8x8", "enlarged"))
    np.testing.assert_array_equal(small, enlarged)


def test_a_row_has_what_is_right_what_is_wrong_and_trusted_and_what_is_abstained() -> None:
    answers = [Answer(1, 0.9, None), Answer(2, 0.9, None), Answer(3, 0.2, "unsure"), Answer(4, 0.2, "unsure")]
    assert format_row("8x8", answers, [1, 1, 3, 1]) == "| 8x8 | 50.0% | 25.0% | 50.0% |"
