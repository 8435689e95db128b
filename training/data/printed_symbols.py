"""Letters and signs of printed fonts, as images of 28x28 pixels. No classifier is trained on them.

They leave out what a person who sees one symbol alone would read as a digit: o, O, l, I, S, Z, b, q and their like in
other alphabets. Knows no pens and no network.
"""

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from matplotlib import get_data_path
from matplotlib.ft2font import FT2Font
from PIL import Image, ImageDraw, ImageFont

SYMBOLS = (
    "ABCDEFGHJKLMNPQRTUVWXY"
    "acdefghijkmnprtuvwxy"
    "ΓΔΘΛΞΠΣΦΨΩαβγδεζηθλμξπρτφχψω"
    "БДЖИЙЛЦЩЫЮЯджфцщюя"
    "אבגדהחטכלמנפצקשת"
    "+×÷=≠≈±∞√∑∏∫∂∇∈∀∃∧∨∩∪⊂⊃%&@#$€?!*→←↑↓↔⇒★♥✓"  # noqa: RUF001 (signs that look like letters)
)
"""Latin, Greek, Cyrillic and Hebrew letters, and signs."""
FONTS = tuple(
    name + style + ".ttf"
    for name, styles in {
        "DejaVuSans": ("", "-Bold", "-Oblique", "-BoldOblique"),
        "DejaVuSansMono": ("", "-Bold", "-Oblique", "-BoldOblique"),
        "DejaVuSerif": ("", "-Bold", "-Italic", "-BoldItalic"),
        "STIXGeneral": ("", "Bol", "Italic", "BolIta"),
    }.items()
    for style in styles
)
"""The files of fonts that come with Matplotlib. The fonts of the system differ from machine to machine."""

_FONT_SIZE = 80
_SYMBOL_SIDE = 20
"""The longest side of a symbol in its image, in pixels, as of a digit in an image of MNIST."""
_SIDE = 28


def print_random_symbol(rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Print a random symbol in a random font: white on black, uint8 (28, 28), in the size of a digit of MNIST."""
    symbol = SYMBOLS[rng.integers(len(SYMBOLS))]
    fonts = _fonts_with(symbol)
    return print_symbol(symbol, fonts[rng.integers(len(fonts))])


def print_symbol(symbol: str, font: str) -> npt.NDArray[np.uint8]:
    """Print a symbol in one of FONTS: white on black, uint8 (28, 28), in the size of a digit of MNIST."""
    page = Image.new("L", (3 * _FONT_SIZE, 3 * _FONT_SIZE))
    ImageDraw.Draw(page).text((_FONT_SIZE, _FONT_SIZE), symbol, fill=255, font=_load_font(font))
    left, top, right, bottom = page.getbbox() or (0, 0, 1, 1)
    ink = np.asarray(page)[top:bottom, left:right]
    scale = _SYMBOL_SIDE / max(ink.shape)
    height, width = (max(round(length * scale), 1) for length in ink.shape)
    above, before = (_SIDE - height) // 2, (_SIDE - width) // 2
    image = np.zeros((_SIDE, _SIDE), np.uint8)
    image[above : above + height, before : before + width] = cv2.resize(
        ink, (width, height), interpolation=cv2.INTER_AREA
    )
    return image


@lru_cache(maxsize=len(SYMBOLS))
def _fonts_with(symbol: str) -> tuple[str, ...]:
    """Return the fonts that have a symbol."""
    return tuple(font for font, codes in _character_codes().items() if ord(symbol) in codes)


@lru_cache(maxsize=1)
def _character_codes() -> dict[str, frozenset[int]]:
    """Return the codes of the characters that each font has."""
    folder = Path(get_data_path(), "fonts", "ttf")
    return {font: frozenset(FT2Font(str(folder / font)).get_charmap()) for font in FONTS}


@lru_cache(maxsize=16)
def _load_font(font: str) -> ImageFont.FreeTypeFont:
    # The other layout engine is an optional library, so the symbols would depend on the machine.
    path = Path(get_data_path(), "fonts", "ttf", font)
    return ImageFont.truetype(path, _FONT_SIZE, layout_engine=ImageFont.Layout.BASIC)
