import numpy as np
import pytest

from training.data.printed_symbols import FONTS, SYMBOLS, print_random_symbol, print_symbol


def test_a_symbol_has_the_size_and_place_of_a_digit_of_mnist() -> None:
    rng = np.random.default_rng(1)
    for image in [print_random_symbol(rng) for _ in range(50)]:
        rows, columns = np.nonzero(image)
        assert image.shape == (28, 28)
        assert max(np.ptp(rows), np.ptp(columns)) in (18, 19)
        assert rows.min() >= 4
        assert columns.min() >= 4


def test_symbols_and_fonts_differ() -> None:
    prints = {print_symbol(symbol, font).tobytes() for symbol in "AR" for font in FONTS}
    assert len(prints) == 2 * len(FONTS)


def test_every_symbol_is_in_a_font_and_none_looks_like_a_digit() -> None:
    assert len(set(SYMBOLS)) == len(SYMBOLS)
    assert not set(SYMBOLS) & set("0123456789oOlISsZzbq|")


@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_seed_gives_the_same_symbols(seed: int) -> None:
    first, second = (print_random_symbol(np.random.default_rng(seed)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
