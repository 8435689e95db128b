"""Draw the samples of the page again, with the digits of `training` and the scenes of `benchmarks`.

`python -m tests.app.page.samples` writes them into `app/page/`. All is drawn in code: no picture comes from elsewhere.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import app
from benchmarks.scenes.kinds import KINDS
from benchmarks.scenes.strings import draw_lines
from benchmarks.scenes.symbols import doodle
from training.data.synthetic_examples import draw_glyph, normalise
from training.data.synthetic_glyphs import DIGITS, parse_glyph

FOLDER = Path(app.__file__).parent / "page"
Picture = NDArray[np.uint8]
Generator = np.random.Generator

_MAX_SIDE = 320
_QUALITY = 62


def draw_digit(digit: int, rng: Generator) -> Picture:
    """Draw a digit by hand, uint8 (28, 28), white on black."""
    forms = DIGITS[digit]
    return normalise(draw_glyph(parse_glyph(forms[rng.integers(len(forms))]), rng)).image


def in_scene(kind: str, digit: int) -> Callable[[Generator], Picture]:
    """Return a function that draws a digit in a scene of this kind."""
    return lambda rng: KINDS[kind](draw_digit(digit, rng), rng)


def two_lines(rng: Generator) -> Picture:
    """Write two numbers below each other."""
    return draw_lines([[draw_digit(int(digit), rng) for digit in line] for line in ("314", "159")], rng)


# For each file: what draws it, the seed, and the digit or number, or None for what is no digit.
SAMPLES: dict[str, tuple[Callable[[Generator], Picture], int, str | None]] = {
    "sample-drawing.webp": (in_scene("clean, black on white", 2), 6, "2"),
    "sample-note.webp": (in_scene("sticky note on a desk", 3), 3, "3"),
    "sample-board.webp": (in_scene("blackboard", 5), 2, "5"),
    "sample-shadow.webp": (in_scene("hard shadow", 7), 4, "7"),
    "sample-ring.webp": (in_scene("ring round the digit", 8), 3, "8"),
    "sample-coffee.webp": (in_scene("coffee ring", 6), 2, "6"),
    "sample-numbers.webp": (two_lines, 0, "314\n159"),
    "sample-figure.webp": (doodle, 5, None),
}


def main() -> None:
    """Draw all samples."""
    for name, (draw, seed, _) in SAMPLES.items():
        picture = Image.fromarray(draw(np.random.default_rng(seed))).convert("RGB")
        picture.thumbnail((_MAX_SIDE, _MAX_SIDE))
        picture.save(FOLDER / name, quality=_QUALITY, method=6)


if __name__ == "__main__":
    main()
