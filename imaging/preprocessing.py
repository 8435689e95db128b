"""The preprocessing pipeline, from a picture file to the image that a model scores.

Contains the order of the steps, and the choice of the cheapest method for each step. The methods are in the other
modules.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from imaging.bilevel import Levels, find_bilevel_ink, find_levels
from imaging.binarise import binarise_bilevel_digit, binarise_digit
from imaging.checks import Finding, check_digit
from imaging.components import Components, find_components, select_digit
from imaging.decode import DEFAULT_MAX_PIXELS, decode
from imaging.enlargement import undo_enlargement
from imaging.errors import ExpensivePicture
from imaging.grey import is_grey, to_grey
from imaging.ink import find_ink, measure_contrast, measure_contrast_on_uniform_background
from imaging.mnist_form import is_mnist_form, to_mnist_form
from imaging.normalise_stroke import normalise_stroke_width, stroke_width
from imaging.ruled_lines import remove_ruled_lines

_WORKING_SIDE = 512
"""The longest side of the picture, in pixels, in the search on an uneven background. A larger picture is reduced."""

_COARSE_SIDES = 100, 200
"""The longest sides of the picture, in pixels, in the coarse search on a uniform background, in order."""

_MIN_COARSE_DIGIT_SIDE = 40
"""The least longest side of a digit found by the coarse search, in pixels: two for each pixel of a digit in MNIST."""

_HALF_CONTRAST = 127
"""Half of full contrast, 255."""

_CHEAP_UNEVEN_PIXELS = 64 * 64
"""The most pixels of a picture for which the search on an uneven background is cheap."""

_CHEAP_COLOUR_PIXELS = 128 * 128
"""The most pixels of a picture for which the conversion from colour to grey is cheap."""

_CHEAP_INK_PIXELS = 4000
"""The most ink pixels for which the steps after the ink is found are cheap."""

_CHEAP_COMPONENTS = 100
"""The most connected components for which the selection of the digit is cheap."""


class PreprocessedPicture(NamedTuple):
    """The result of the preprocessing of a picture."""

    image: NDArray[np.uint8]
    """(28, 28), white ink (255) on black (0), in MNIST's form: the input of a model."""
    finding: Finding | None
    """Why the picture does not show exactly one digit, by its ink alone; None if it seems to show one."""
    is_clean: bool = False
    """Whether the picture shows one connected piece of ink on an even ground, or nothing, and so no other thing."""
    pixels: NDArray[np.uint8] | None = None
    """The decoded picture, (h, w) or (h, w, 3), for a second look; None if it is in MNIST's form already."""
    is_mnist: bool = False
    """Whether the picture is in MNIST's form already."""


def preprocess_picture(data: bytes, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> PreprocessedPicture:
    """Convert the picture file `data` to the image that a model scores.

    Raises:
        UnsupportedPicture: if the file format, or its compression, is not supported.
        UnreadablePicture: if the file is broken or truncated.
        PictureTooLarge: if the picture has more than `max_pixels` pixels or too many parts, or needs too much memory.

    """
    return normalise(undo_enlargement(decode(data, max_pixels=max_pixels)))


def preprocess_pictures(
    pictures: Iterable[bytes], *, max_pixels: int = DEFAULT_MAX_PIXELS, cheap_only: bool = False
) -> list[PreprocessedPicture | Exception]:
    """Preprocess several picture files. For a picture that fails, the list has the error of `preprocess_picture`.

    Each step is applied to all pictures before the next step. So the code of a step stays in the processor's caches:
    under load, a service answers 5 to 8 % more requests.

    Args:
        pictures: The picture files.
        max_pixels: The most pixels of a picture.
        cheap_only: Return an `ExpensivePicture` for a picture that would take longer than about two milliseconds.
            Noise, textures or an uneven background can make a picture expensive for which `is_cheap_to_decode` holds.

    """
    decoded: list[Any] = [_apply(partial(decode, max_pixels=max_pixels), data) for data in pictures]
    decoded = [_apply(undo_enlargement, outcome) for outcome in decoded]
    outcomes = decoded
    for step in _CHEAP_STEPS if cheap_only else _STEPS:
        outcomes = [_apply(step, outcome) for outcome in outcomes]
    return [_with_pixels(outcome, pixels) for outcome, pixels in zip(outcomes, decoded, strict=True)]


def normalise(pixels: NDArray[np.uint8]) -> PreprocessedPicture:
    """Convert `pixels`, uint8 (h, w) grey or (h, w, 3) RGB, to MNIST's form.

    Pixels that are in MNIST's form already, or their negative, are returned bit for bit.
    """
    outcome: Any = pixels
    for step in _STEPS:
        if not isinstance(outcome, PreprocessedPicture):
            outcome = step(outcome)
    return _with_pixels(outcome, pixels)  # type: ignore[no-any-return]  # the last step returns a PreprocessedPicture


def _with_pixels(outcome: object, pixels: object) -> Any:  # noqa: ANN401 - a result or an error
    """Add the decoded picture to a result that is not in MNIST's form already. Return an error unchanged."""
    is_changed = isinstance(outcome, PreprocessedPicture) and not outcome.is_mnist
    return outcome._replace(pixels=pixels) if is_changed else outcome  # type: ignore[attr-defined]


def _apply(step: Callable[[Any], Any], outcome: object) -> object:
    """Apply `step` to an intermediate `outcome`. Return a result or an error unchanged."""
    if isinstance(outcome, PreprocessedPicture | Exception):
        return outcome
    try:
        return step(outcome)
    except Exception as error:  # noqa: BLE001 - one picture's error must not affect the others
        return error


class _GreyPicture(NamedTuple):
    """A picture that is not in MNIST's form."""

    grey: NDArray[np.uint8]
    """(h, w)."""
    levels: Levels | None
    """The levels of a bilevel picture, else None."""


class _LocatedDigit(NamedTuple):
    """The digit as connected components of a picture."""

    contrast: NDArray[np.uint8]
    """(h, w): the contrast in which the components were found."""
    components: Components
    selected: NDArray[np.intp]
    """(k,): the labels of the digit's components. Empty if there is no ink."""
    is_even: bool
    """Whether the ground is even, and no ruled lines were removed from it."""
    bilevel: bool = False
    """Whether all of the ink has full contrast."""

    @property
    def is_clean(self) -> bool:
        """Whether there is one piece of ink on an even ground, away from the border, or no ink."""
        if not self.is_even or len(self.components.boxes) > 2:
            return False
        left, top, right, bottom = self.components.boxes[-1].tolist()
        height, width = self.components.ink.shape
        return not self.selected.size or (left > 0 and top > 0 and right < width and bottom < height)

    @property
    def side(self) -> int:
        """The longest side of its largest component, in pixels."""
        return max(self.components.sides[self.selected].tolist(), default=0)


class _BinarisedDigit(NamedTuple):
    """The digit alone, scaled to one size."""

    located: _LocatedDigit
    ink: NDArray[np.uint8]
    """(h, w): 1 for ink and 0 for background."""
    stroke_width: float
    """The mean width, in pixels."""


def _to_grey_picture(pixels: NDArray[np.uint8], *, cheap_only: bool = False) -> _GreyPicture | PreprocessedPicture:
    """Convert to grey, and return at once what is in MNIST's form already."""
    if cheap_only and pixels.size > 3 * _CHEAP_COLOUR_PIXELS and not is_grey(pixels):
        raise ExpensivePicture
    grey = to_grey(pixels)
    if grey.shape == (28, 28):
        if is_mnist_form(grey):
            return PreprocessedPicture(grey, None, is_clean=True, is_mnist=True)
        if is_mnist_form(negative := 255 - grey):
            return PreprocessedPicture(negative, None, is_clean=True, is_mnist=True)
    return _GreyPicture(grey, find_levels(grey))


def _locate_digit(picture: _GreyPicture, *, cheap_only: bool = False) -> _LocatedDigit | PreprocessedPicture:
    """Locate the digit with the cheapest method that the picture allows."""
    grey, levels = picture
    digit = None
    if levels:
        digit = _search_coarsely(grey, partial(_locate_in_bilevel, levels=levels, cheap_only=cheap_only))
    if digit is None:
        digit = _search_coarsely(grey, partial(_locate_on_uniform_background, cheap_only=cheap_only))
    if digit is None:
        if cheap_only and grey.size > _CHEAP_UNEVEN_PIXELS:
            raise ExpensivePicture
        reduced = _reduce_to_working_side(grey)
        is_even = levels is not None or measure_contrast_on_uniform_background(reduced) is not None
        digit = _locate_by_contrast(measure_contrast(reduced), is_even=is_even, cheap_only=cheap_only)
    if digit.selected.size:
        return digit
    return PreprocessedPicture(np.zeros((28, 28), np.uint8), "blank", is_clean=digit.is_clean)


def _binarise(digit: _LocatedDigit) -> _BinarisedDigit:
    """Crop, scale and binarise the digit, and measure its stroke width."""
    binarise = binarise_bilevel_digit if digit.bilevel else binarise_digit
    ink = binarise(digit.contrast, digit.components.mask(digit.selected))
    return _BinarisedDigit(digit, ink, stroke_width(ink))


def _to_result(digit: _BinarisedDigit) -> PreprocessedPicture:
    """Check the digit, and give it MNIST's stroke width and form."""
    located, ink, width = digit
    finding = check_digit(located.components, located.selected, ink, width)
    return PreprocessedPicture(to_mnist_form(normalise_stroke_width(ink, width)), finding, is_clean=located.is_clean)


_STEPS: tuple[Callable[[Any], Any], ...] = (_to_grey_picture, _locate_digit, _binarise, _to_result)
"""From pixels to a PreprocessedPicture. A step that returns one already ends the pipeline."""
_CHEAP_STEPS: tuple[Callable[[Any], Any], ...] = (
    partial(_to_grey_picture, cheap_only=True),
    partial(_locate_digit, cheap_only=True),
    _binarise,
    _to_result,
)
"""The same steps, which raise ExpensivePicture for an expensive picture."""


def _search_coarsely(
    grey: NDArray[np.uint8], locate: Callable[[NDArray[np.uint8]], _LocatedDigit | None]
) -> _LocatedDigit | None:
    """Locate the digit in reduced copies of `grey`, uint8 (h, w).

    Return None if `locate` returns None, or if the digit is too small even in the largest copy.
    """
    for side in _COARSE_SIDES:
        reduced = _halve(grey, side)
        digit = locate(reduced)
        if digit is None or digit.side >= _MIN_COARSE_DIGIT_SIDE:
            return digit
        if reduced is grey:
            return None
    return None


def _locate_in_bilevel(grey: NDArray[np.uint8], levels: Levels, *, cheap_only: bool) -> _LocatedDigit | None:
    """Locate the digit in a bilevel picture; None if its ink may contain more than digits."""
    contrast = levels.measure_contrast(grey)
    ink = find_bilevel_ink(contrast)
    if ink is None:
        return None
    if cheap_only:
        _check_ink_is_cheap(ink)
    return _select(contrast, ink, is_even=True, bilevel=True, cheap_only=cheap_only)


def _locate_on_uniform_background(grey: NDArray[np.uint8], *, cheap_only: bool) -> _LocatedDigit | None:
    """Locate the digit on a uniform background; None if the background is not uniform."""
    contrast = measure_contrast_on_uniform_background(grey)
    return None if contrast is None else _locate_by_contrast(contrast, is_even=True, cheap_only=cheap_only)


def _locate_by_contrast(contrast: NDArray[np.uint8], *, is_even: bool, cheap_only: bool) -> _LocatedDigit:
    if cheap_only:
        _check_ink_is_cheap((contrast > _HALF_CONTRAST).view(np.uint8))
    ink = find_ink(contrast)
    if cheap_only:
        _check_ink_is_cheap(ink)
    without_lines = remove_ruled_lines(ink)
    is_even = is_even and without_lines is ink
    return _select(contrast, without_lines, is_even=is_even, bilevel=False, cheap_only=cheap_only)


def _select(
    contrast: NDArray[np.uint8], ink: NDArray[np.uint8], *, is_even: bool, bilevel: bool, cheap_only: bool
) -> _LocatedDigit:
    components = find_components(ink, max_count=_CHEAP_COMPONENTS if cheap_only else None)
    return _LocatedDigit(contrast, components, select_digit(components), is_even, bilevel)


def _check_ink_is_cheap(ink: NDArray[np.uint8]) -> None:
    """Raise ExpensivePicture if `ink`, uint8 (h, w), has too many ink pixels for the steps that follow."""
    if cv2.countNonZero(ink) > _CHEAP_INK_PIXELS:
        raise ExpensivePicture


def _halve(grey: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Halve both sides of `grey` until the longest is at most `side`. Each pixel is the mean of four pixels."""
    while max(grey.shape) > side and min(grey.shape) > 1:
        height, width = (length // 2 for length in grey.shape)
        grey = np.asarray(
            cv2.resize(grey[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA), np.uint8
        )
    return grey


def _reduce_to_working_side(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    scale = _WORKING_SIDE / max(grey.shape)
    if scale >= 1:
        return grey
    height, width = (max(1, round(length * scale)) for length in grey.shape)
    return np.asarray(cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
