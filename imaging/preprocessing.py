"""The line from the bytes of a picture to the image that a model is shown. Knows the order of the steps, no more."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from imaging.bilevel import Levels, find_bilevel_ink, find_levels
from imaging.binarise import binarise_bilevel_digit, binarise_digit
from imaging.checks import Finding, check_digit
from imaging.components import Components, choose_digit, find_components
from imaging.decode import DEFAULT_MAX_PIXELS, decode
from imaging.errors import ExpensiveToDecode
from imaging.grey import is_grey, to_grey
from imaging.ink import find_ink, measure_contrast, measure_contrast_on_even_paper
from imaging.mnist_form import is_mnist_form, to_mnist_form
from imaging.normalise_stroke import normalise_stroke_width, stroke_width
from imaging.ruled_lines import remove_ruled_lines

_WORKING_SIDE = 512
"""Longest side, in pixels, at which the digit is looked for; a larger picture is reduced to it."""

_GLANCE_SIDES = 100, 200
"""The same for a picture on even paper, where the digit is looked for in fewer pixels first..."""

_HALF = 127
"""Of full contrast, 255."""

_LARGE = 40
"""...if that leaves it at least this many pixels long: two for each of MNIST's."""


_BRIEF_SEARCH_PIXELS = 64 * 64
"""The longest search, on uneven paper, is brief in a picture of at most so many pixels..."""

_BRIEF_COLOUR_PIXELS = 128 * 128
"""...finding the direction of its colours in one of so many..."""

_BRIEF_INK_PIXELS = 4000
"""...what comes after its ink is known with so much of it..."""

_BRIEF_COMPONENTS = 100
"""...and so many pieces of it."""


class PreprocessedPicture(NamedTuple):
    """What a picture was read as."""

    image: NDArray[np.uint8]
    """(28, 28), white ink (255) on black paper (0), as MNIST has it: what the model is shown."""
    finding: Finding | None
    """What the picture alone says against its being one digit; None where it says nothing."""


def preprocess_picture(data: bytes, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> PreprocessedPicture:
    """Read the digit in the picture file `data`.

    Raises UnsupportedPicture, UnreadablePicture, or PictureTooLarge for more than `max_pixels` pixels.
    """
    return normalise(decode(data, max_pixels=max_pixels))


def preprocess_pictures(
    pictures: Iterable[bytes], *, max_pixels: int = DEFAULT_MAX_PIXELS, cheap_only: bool = False
) -> list[PreprocessedPicture | Exception]:
    """Preprocess several picture files; in the place of one that fails is the error that `preprocess_picture` raises.

    Each step is taken for all of them before the next one: the processor then holds its code, and has learnt how its
    branches go. A service under load so answers 8 % more drawings, and 5 % more digits.

    With `brief`, a `NotBrief` is in the place of a picture whose pixels turn out to take longer than about two
    milliseconds: of the pictures that `is_brief`, some with noise, textures or uneven paper.
    """
    outcomes: list[Any] = list(pictures)
    steps: list[Callable[[Any], Any]] = [
        partial(decode, max_pixels=max_pixels),
        *(_BRIEF_STEPS if cheap_only else _STEPS),
    ]
    for step in steps:
        outcomes = [_attempt(step, outcome) for outcome in outcomes]
    return outcomes


def normalise(pixels: NDArray[np.uint8]) -> PreprocessedPicture:
    """Bring the digit in `pixels`, uint8 (h, w) grey or (h, w, 3) RGB, into MNIST's form.

    What is in MNIST's form already, or its negative, comes out bit for bit.
    """
    outcome: Any = pixels
    for step in _STEPS:
        if not isinstance(outcome, PreprocessedPicture):
            outcome = step(outcome)
    return outcome  # type: ignore[no-any-return]  # the last step gives a reading


def _attempt(step: Callable[[Any], Any], outcome: object) -> object:
    """Take a step from an outcome that is neither a reading nor an error yet."""
    if isinstance(outcome, PreprocessedPicture | Exception):
        return outcome
    try:
        return step(outcome)
    except Exception as error:  # noqa: BLE001 - its neighbours have nothing to do with it
        return error


class _Sheet(NamedTuple):
    """A picture that is not in MNIST's form."""

    grey: NDArray[np.uint8]
    """(h, w)."""
    levels: Levels | None
    """Of its paper and its ink, if it has no others."""


class _Digit(NamedTuple):
    """The digit found in a picture."""

    contrast: NDArray[np.uint8]
    """(h, w): what it was found in."""
    components: Components
    chosen: NDArray[np.intp]
    """The numbers of its components; none where there is no ink."""
    bilevel: bool = False
    """Whether all of its ink has full contrast."""

    @property
    def side(self) -> int:
        """The longest side of its longest piece, in pixels."""
        return max(self.components.sides[self.chosen].tolist(), default=0)


class _Scan(NamedTuple):
    """The digit cut out and brought to one size."""

    digit: _Digit
    ink: NDArray[np.uint8]
    """(h, w): 1 ink and 0 paper."""
    width: float
    """Of its strokes, in pixels."""


def _look(pixels: NDArray[np.uint8], *, cheap_only: bool = False) -> _Sheet | PreprocessedPicture:
    """See what kind of picture it is."""
    if cheap_only and pixels.size > 3 * _BRIEF_COLOUR_PIXELS and not is_grey(pixels):
        raise ExpensiveToDecode
    grey = to_grey(pixels)
    if grey.shape == (28, 28):
        if is_mnist_form(grey):
            return PreprocessedPicture(grey, None)
        if is_mnist_form(negative := 255 - grey):
            return PreprocessedPicture(negative, None)
    return _Sheet(grey, find_levels(grey))


def _find(sheet: _Sheet, *, cheap_only: bool = False) -> _Digit | PreprocessedPicture:
    """Find the digit: in what costs least, where the picture allows it."""
    grey, levels = sheet
    digit = (levels and _glance(grey, partial(_find_in_bilevel, levels=levels, cheap_only=cheap_only))) or _glance(
        grey, partial(_find_on_even_paper, cheap_only=cheap_only)
    )
    if digit is None:
        if cheap_only and grey.size > _BRIEF_SEARCH_PIXELS:
            raise ExpensiveToDecode
        digit = _find_digit(measure_contrast(_reduce(grey)), cheap_only=cheap_only)
    return digit if digit.chosen.size else PreprocessedPicture(np.zeros((28, 28), np.uint8), "blank")


def _scan(digit: _Digit) -> _Scan:
    """Cut it out, and measure its pen."""
    scan = binarise_bilevel_digit if digit.bilevel else binarise_digit
    ink = scan(digit.contrast, digit.components.mask(digit.chosen))
    return _Scan(digit, ink, stroke_width(ink))


def _form(scan: _Scan) -> PreprocessedPicture:
    """Give it MNIST's pen and form, and say what is wrong with it."""
    digit, ink, width = scan
    fault = check_digit(digit.components, digit.chosen, ink, width)
    return PreprocessedPicture(to_mnist_form(normalise_stroke_width(ink, width)), fault)


_STEPS: tuple[Callable[[Any], Any], ...] = (_look, _find, _scan, _form)
"""From pixels to a reading; some are there sooner."""
_BRIEF_STEPS: tuple[Callable[[Any], Any], ...] = (
    partial(_look, cheap_only=True),
    partial(_find, cheap_only=True),
    _scan,
    _form,
)


def _glance(grey: NDArray[np.uint8], find: Callable[[NDArray[np.uint8]], _Digit | None]) -> _Digit | None:
    """Look for the digit in `grey`, uint8 (h, w), in few pixels; None if `find` gives up, or it is small in them."""
    for side in _GLANCE_SIDES:
        reduced = _halve(grey, side)
        digit = find(reduced)
        if digit is None or digit.side >= _LARGE:
            return digit
        if reduced is grey:
            return None
    return None


def _find_in_bilevel(grey: NDArray[np.uint8], levels: Levels, *, cheap_only: bool) -> _Digit | None:
    """Find the digit where full ink on one paper is all there is; None if some of it is more than a digit."""
    contrast = levels.measure_contrast(grey)
    ink = find_bilevel_ink(contrast)
    if ink is None:
        return None
    return _choose(contrast, ink, bilevel=True, cheap_only=cheap_only)


def _find_on_even_paper(grey: NDArray[np.uint8], *, cheap_only: bool) -> _Digit | None:
    """Find the digit where the paper is of one lightness, or give None."""
    contrast = measure_contrast_on_even_paper(grey)
    return None if contrast is None else _find_digit(contrast, cheap_only=cheap_only)


def _find_digit(contrast: NDArray[np.uint8], *, cheap_only: bool) -> _Digit:
    if cheap_only:
        _check_cheap((contrast > _HALF).view(np.uint8))
    ink = find_ink(contrast)
    if cheap_only:
        _check_cheap(ink)
    return _choose(contrast, remove_ruled_lines(ink), bilevel=False, cheap_only=cheap_only)


def _choose(contrast: NDArray[np.uint8], ink: NDArray[np.uint8], *, bilevel: bool, cheap_only: bool) -> _Digit:
    if cheap_only and bilevel:  # else it has been looked at before lines were taken out of it
        _check_cheap(ink)
    components = find_components(ink, most=_BRIEF_COMPONENTS if cheap_only else None)
    return _Digit(contrast, components, choose_digit(components), bilevel)


def _check_cheap(ink: NDArray[np.uint8]) -> None:
    """Raise NotBrief where `ink`, uint8 (h, w), is too much to look for lines and pieces in it."""
    if cv2.countNonZero(ink) > _BRIEF_INK_PIXELS:
        raise ExpensiveToDecode


def _halve(grey: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return `grey` with its sides halved until the longest is at most `side`: each a mean of whole pixels."""
    while max(grey.shape) > side and min(grey.shape) > 1:
        height, width = (length // 2 for length in grey.shape)
        grey = np.asarray(
            cv2.resize(grey[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA), np.uint8
        )
    return grey


def _reduce(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    scale = _WORKING_SIDE / max(grey.shape)
    if scale >= 1:
        return grey
    height, width = (max(1, round(length * scale)) for length in grey.shape)
    return np.asarray(cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
