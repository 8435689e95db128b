"""Render MNIST's digits as picture files under ten conditions, similar to people's pictures. Does not preprocess them.

Each condition is a function of a digit, uint8 (28, 28), white ink on black, and a random generator, and returns a
picture file.
"""

import io
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Grey = NDArray[np.uint8]
Condition = Callable[[Grey, np.random.Generator], bytes]

_NEIGHBOUR_SHIFTS = ((1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1))
"""The shifts that move each neighbour of a pixel to the pixel's position, clockwise from the one above."""

_BACKGROUND_LEVEL = 240.0
_INK_LEVEL = 30.0


def inverted(digit: Grey, _: np.random.Generator) -> bytes:
    """Dark ink on a light background."""
    return _png(255 - digit)


def enlarged(digit: Grey, _: np.random.Generator) -> bytes:
    """Twenty times the size: 560x560."""
    return _png(cv2.resize(digit, None, fx=20, fy=20, interpolation=cv2.INTER_LINEAR))


def thin_pen(digit: Grey, rng: np.random.Generator) -> bytes:
    """Thin strokes: the skeleton of each stroke, three pixels wide instead of about thirty."""
    hairline = cv2.dilate(_skeleton(_mask(digit)), np.ones((3, 3), np.uint8))
    return _png(_draw(hairline * np.float32(1), rng))


def thick_pen(digit: Grey, rng: np.random.Generator) -> bytes:
    """Thick strokes: about twice as wide."""
    pen = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (15, 15))
    return _png(_draw(cv2.dilate(_mask(digit), pen) * np.float32(1), rng))


def shadow(digit: Grey, rng: np.random.Generator) -> bytes:
    """Illumination that falls to 35 % across the picture, in a random direction."""
    picture = _draw(_mask(digit) * np.float32(1), rng).astype(np.float32)
    rows, columns = np.mgrid[-1 : 1 : picture.shape[0] * 1j, -1 : 1 : picture.shape[1] * 1j]
    angle = rng.uniform(0, 2 * np.pi)
    slope = rows * np.sin(angle) + columns * np.cos(angle)
    return _png(picture * (0.675 + 0.325 * slope / np.abs(slope).max()))


def ruled(digit: Grey, rng: np.random.Generator) -> bytes:
    """Ruled paper, in one of three pictures squared, with lines thinner and fainter than the strokes."""
    ink = _mask(digit) * np.float32(1)
    picture = _draw(ink, rng)
    pitch, start = rng.integers(36, 64), rng.integers(0, 36)
    thickness, line = rng.integers(1, 4), rng.uniform(110, 200)
    for position in range(start, picture.shape[0], pitch):
        rows = picture[position : position + thickness]
        rows[:] = np.minimum(rows, line)
        if rng.integers(0, 3) == 0:
            columns = picture[:, position : position + thickness]
            columns[:] = np.minimum(columns, line)
    return _png(picture)


def coloured(digit: Grey, rng: np.random.Generator) -> bytes:
    """Random colours of ink and background, at least 120 of 441 apart."""
    while True:
        ink, paper = rng.uniform(0, 255, (2, 3))
        if np.linalg.norm(ink - paper) > 120:
            break
    share = cv2.GaussianBlur(_mask(digit) * np.float32(1), (0, 0), 1)[..., np.newaxis]
    return _png(paper + (ink - paper) * share)


def turned(digit: Grey, rng: np.random.Generator) -> bytes:
    """Picture that is not upright, with its EXIF orientation."""
    orientation, quarters = ((3, 2), (6, 1), (8, 3))[rng.integers(0, 3)]
    picture = np.rot90(_draw(_mask(digit) * np.float32(1), rng), quarters)
    exif = Image.Exif()
    exif[0x0112] = orientation
    return _encode(picture, "JPEG", exif=exif, quality=90)


def jpeg_quality_20(digit: Grey, rng: np.random.Generator) -> bytes:
    """Small picture, 112x112, compressed with low quality."""
    picture = cv2.resize(_draw(_mask(digit) * np.float32(1), rng), (112, 112), interpolation=cv2.INTER_AREA)
    return _encode(picture, "JPEG", quality=20)


def low_contrast(digit: Grey, rng: np.random.Generator) -> bytes:
    """Ink 10 % darker than the background, with a little noise."""
    picture = 220 * (1 - 0.1 * cv2.GaussianBlur(_mask(digit) * np.float32(1), (0, 0), 1))
    return _png(picture + rng.normal(0, 1.5, picture.shape))


CONDITIONS: dict[str, Condition] = {
    condition.__name__: condition
    for condition in (
        inverted,
        enlarged,
        thin_pen,
        thick_pen,
        shadow,
        ruled,
        coloured,
        turned,
        jpeg_quality_20,
        low_contrast,
    )
}


def _mask(digit: Grey) -> Grey:
    """Return `digit` enlarged and binarised, uint8 (280, 280): 1 for ink and 0 for background."""
    large = cv2.resize(digit, (280, 280), interpolation=cv2.INTER_CUBIC)
    return (np.asarray(large) > 127).astype(np.uint8)


def _skeleton(mask: Grey) -> Grey:
    """Return the skeleton of `mask`, one pixel wide and connected like `mask` (Zhang and Suen 1984)."""
    image = np.pad(mask, 1).astype(np.bool_)
    changed = True
    while changed:
        changed = False
        for first, second in (((0, 2, 4), (2, 4, 6)), ((0, 2, 6), (0, 4, 6))):
            neighbours = [np.roll(image, shift, (0, 1)) for shift in _NEIGHBOUR_SHIFTS]
            count = np.sum(neighbours, axis=0)
            transitions = np.sum([~neighbours[index] & neighbours[(index + 1) % 8] for index in range(8)], axis=0)
            has_background = ~np.logical_and.reduce([neighbours[index] for index in first])
            has_background &= ~np.logical_and.reduce([neighbours[index] for index in second])
            removed = image & (count >= 2) & (count <= 6) & (transitions == 1) & has_background
            image &= ~removed
            changed |= bool(removed.any())
    return image[1:-1, 1:-1].astype(np.uint8)


def _draw(ink: NDArray[np.float32], rng: np.random.Generator) -> Grey:
    """Return dark `ink`, 0 to 1, on a light background, with the blur and noise of a camera."""
    picture = _BACKGROUND_LEVEL + (_INK_LEVEL - _BACKGROUND_LEVEL) * cv2.GaussianBlur(ink, (0, 0), 1)
    return _to_bytes(picture + rng.normal(0, 2, ink.shape))


def _to_bytes(picture: NDArray[np.floating]) -> Grey:
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def _png(picture: NDArray[np.floating] | Grey) -> bytes:
    return _encode(_to_bytes(np.asarray(picture)), "PNG")


def _encode(picture: Grey, name: str, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(file, name, **options)
    return file.getvalue()
