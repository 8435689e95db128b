"""The examples on which the thresholds for abstention are chosen: digits that differ from MNIST's, and no digits.

All of them pass through `imaging`, as the pictures of users do. Those in which `imaging` finds by the ink that they are
no digit are left out: the service abstains for them whatever the thresholds are. Knows no network.
"""

import numpy as np
import numpy.typing as npt

from imaging import normalise
from training.data.corruptions import corrupt_round_robin
from training.data.examples import NOT_A_DIGIT, Examples
from training.data.pages.pens import draw_field, opacity, random_pen, trace_centreline, trace_outline
from training.data.printed_symbols import print_random_symbol

_HEIGHTS = (20.0, 250.0)
"""The smallest and the largest height of a drawing, in pixels."""
_MARGINS = (0.15, 0.6)
"""The smallest and the largest margin, as a share of the height."""
_MIN_MARGIN = 8
"""In pixels."""
_MAX_ANGLE = 0.15
"""In radians."""
_MIN_CONTRAST = 0.5
_MIN_JAGGED_WIDTH = 2.0
"""In pixels. Without antialiasing, parts of a thinner stroke vanish."""


def threshold_examples(digits: Examples, seed: int = 0, *, with_symbols: bool = True) -> Examples:
    """Return digits as they are, drawn with other pens and corrupted, and symbols if asked to.

    Half of the digits are drawn and a fifth of them corrupted. There are half as many symbols as digits.
    """
    rng = np.random.default_rng(seed)
    half, fifth = len(digits) // 2, len(digits) // 5
    order = rng.permutation(len(digits))
    drawn, corrupted = (
        Examples(digits.images[part], digits.labels[part]) for part in (order[:half], order[half : half + fifth])
    )
    return (
        digits
        + draw_digits(drawn, rng)
        + Examples(corrupt_round_robin(corrupted.images, seed), corrupted.labels)
        + draw_symbols(half if with_symbols else 0, rng)
    )


def draw_digits(digits: Examples, rng: np.random.Generator) -> Examples:
    """Draw each digit with a random pen."""
    return _preprocess([_draw(image, rng) for image in digits.images], digits.labels)


def draw_symbols(count: int, rng: np.random.Generator) -> Examples:
    """Draw `count` printed symbols with random pens."""
    pages = [_draw(print_random_symbol(rng), rng) for _ in range(count)]
    return _preprocess(pages, np.full(count, NOT_A_DIGIT, np.int32))


def _draw(image: npt.NDArray[np.uint8], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Draw what is in an image, uint8 (28, 28), with a random pen: dark on white, uint8 (h, w)."""
    height = float(np.exp(rng.uniform(*np.log(_HEIGHTS))))
    pen = random_pen(rng)
    if pen.width is not None and pen.width * height < _MIN_JAGGED_WIDTH:
        pen = pen._replace(is_jagged=False)
    trace = trace_outline if pen.width is None else trace_centreline
    ink = draw_field(trace(image), height, pen, rng, angle=rng.uniform(-_MAX_ANGLE, _MAX_ANGLE))
    margin = max(_MIN_MARGIN, int(height * rng.uniform(*_MARGINS)))
    contrast = opacity(pen, height) * rng.uniform(_MIN_CONTRAST, 1)
    return np.asarray(255 * (1 - contrast * np.pad(ink, margin)), np.uint8)


def _preprocess(pages: list[npt.NDArray[np.uint8]], labels: npt.NDArray[np.int32]) -> Examples:
    """Preprocess pages, and leave out those with a finding."""
    pictures = [normalise(page) for page in pages]
    kept = [index for index, picture in enumerate(pictures) if picture.finding is None]
    images = np.array([pictures[index].image for index in kept], np.uint8).reshape(-1, 28, 28)
    return Examples(images, labels[kept])
