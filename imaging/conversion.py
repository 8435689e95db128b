"""Convert decoded pixels of any mode to 8-bit grey or RGB, reduced and upright. Knows no file format and no ink."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imaging.alpha import composite_on_background

TARGET_SIDE = 512
"""A picture is reduced by the whole factor that brings its longest side nearest to this, in pixels, unless the caller
names another side."""

_STRIP_LENGTH = 32
"""A picture is converted in strips of this many pixels after reduction, about a sixteenth of it or less, to save
memory."""

_Box = tuple[int, int, int, int]
"""Left, top, right (exclusive), bottom (exclusive), in pixels."""

_ROTATIONS: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    2: np.fliplr,
    3: lambda pixels: np.rot90(pixels, 2),
    4: np.flipud,
    5: lambda pixels: np.swapaxes(pixels, 0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.swapaxes(np.rot90(pixels, 2), 0, 1),
    8: np.rot90,
}
"""The operation that turns an array of each EXIF orientation upright (EXIF 2.3, tag 274). 1 is upright."""

_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The operation that turns a Pillow image of each EXIF orientation upright."""

AXES_SWAPPED = {5, 6, 7, 8}
"""The orientations whose upright picture has rows where the stored one has columns."""
_COLUMNS_REVERSED = {2, 3, 6, 7}
"""The orientations whose upright picture has its columns reversed."""
_ROWS_REVERSED = {3, 4, 7, 8}
"""The orientations whose upright picture has its rows reversed."""


def to_8_bits(
    picture: Image.Image | NDArray[Any], orientation: int = 1, *, target_side: int = TARGET_SIDE
) -> NDArray[np.uint8]:
    """Return the pixels of `picture`, reduced and upright: uint8 (h, w) grey or (h, w, 3) RGB.

    Transparent pixels get a background. Values of more than 8 bits are scaled so that the largest becomes 255.

    Args:
        picture: A Pillow image of any mode, or an array from which Pillow can make one.
        orientation: EXIF 2.3, tag 274. It is applied before the reduction.
        target_side: The side that the reduction brings the longest side nearest to, in pixels.

    """
    convert = partial(_convert_and_reduce, picture, orientation=orientation, target_side=target_side)
    sample = picture if isinstance(picture, Image.Image) else Image.fromarray(picture[:1, :1])
    if sample.mode in {"I", "F"} or sample.mode.startswith("I;16"):
        return _scale_to_8_bits(convert("F"))
    if sample.has_transparency_data:
        return composite_on_background(convert("RGBA"))
    if sample.mode == "LAB":
        return convert("L")
    return convert("L" if sample.mode in {"1", "L"} else "RGB")


def rotate_upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Return `pixels`, uint8 (h, w) or (h, w, 3), turned upright from the EXIF `orientation`."""
    rotate = _ROTATIONS.get(orientation)
    return pixels if rotate is None else np.ascontiguousarray(rotate(pixels))


def reduction_factor(width: int, height: int, target_side: int = TARGET_SIDE) -> int:
    """Return the factor by which a picture of this size is reduced. With 0 or 1 it is not reduced."""
    return round(max(width, height) / target_side)


def _convert_and_reduce(
    picture: Image.Image | NDArray[Any], mode: str, *, orientation: int, target_side: int
) -> NDArray[Any]:
    """Return `picture` in `mode`, upright and reduced.

    Strip by strip, if Pillow would copy the whole picture: to convert it, or to weight its colours by their alpha.
    """
    if isinstance(picture, Image.Image):
        width, height = picture.size
        crop = picture.crop
    else:
        height, width = picture.shape[:2]
        crop = partial(_crop_array, picture)
    if orientation in AXES_SWAPPED:
        width, height = height, width
    factor = reduction_factor(width, height, target_side)
    factors = max(1, min(factor, width)), max(1, min(factor, height))
    if isinstance(picture, Image.Image) and orientation not in _TRANSPOSITIONS and picture.mode == mode != "RGBA":
        return np.asarray(picture.reduce(factors) if factor > 1 else picture)
    if isinstance(picture, Image.Image) and orientation not in _TRANSPOSITIONS and factor < 2:
        return np.asarray(_convert(picture, mode))
    strips = []
    for start, end in _split(max(width, height), max(factor, 1)):
        box = (start, 0, end, height) if width >= height else (0, start, width, end)
        strip = _convert(crop(_to_stored_box(box, width, height, orientation)), mode)
        if orientation in _TRANSPOSITIONS:
            strip = strip.transpose(_TRANSPOSITIONS[orientation])
        strips.append(np.asarray(strip.reduce(factors) if factor > 1 else strip))
    return np.concatenate(strips, axis=1 if width >= height else 0)


def _split(length: int, factor: int) -> Iterator[tuple[int, int]]:
    """Yield the start and end of each strip of a side of this `length`: multiples of `factor`, but for the last end."""
    starts = [*range(0, max(1, length - factor + 1), _STRIP_LENGTH * factor)]
    return zip(starts, [*starts[1:], length], strict=True)


def _to_stored_box(box: _Box, width: int, height: int, orientation: int) -> _Box:
    """Return where `box`, in an upright picture of this size, is in the stored picture with this `orientation`."""
    left, top, right, bottom = box
    if orientation in _COLUMNS_REVERSED:
        left, right = width - right, width - left
    if orientation in _ROWS_REVERSED:
        top, bottom = height - bottom, height - top
    return (top, left, bottom, right) if orientation in AXES_SWAPPED else (left, top, right, bottom)


def _crop_array(pixels: NDArray[Any], box: _Box) -> Image.Image:
    left, top, right, bottom = box
    return Image.fromarray(np.ascontiguousarray(pixels[top:bottom, left:right]))


def _convert(picture: Image.Image, mode: str) -> Image.Image:
    """Return `picture` in `mode`. Pillow would copy a picture that is in this mode already."""
    if picture.mode == mode:
        return picture
    return picture.getchannel("L") if picture.mode == "LAB" else picture.convert(mode)


def _scale_to_8_bits(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return `values`, (h, w), scaled so that the largest is 255: 16-bit files may hold only 10, 12 or 14 bits."""
    positive = np.maximum(np.nan_to_num(values, posinf=0, neginf=0), 0)
    return np.rint(positive * (255 / max(float(positive.max()), 1e-6))).astype(np.uint8)
