"""Pictures of digits as people make them, drawn from MNIST's: ten conditions. Knows nothing of how they are read.

Each condition is a function of a digit, uint8 (28, 28), white ink on black, and a random generator, and returns the
bytes of a picture file.
"""

import io
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Grey = NDArray[np.uint8]
Condition = Callable[[Grey, np.random.Generator], bytes]

_AROUND = ((1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1))
"""The rolls that bring the eight neighbours of a pixel to its place, clockwise from the one above."""

_PAPER = 240.0
_INK = 30.0


def inverted(digit: Grey, _: np.random.Generator) -> bytes:
    """Dark ink on light paper."""
    return _png(255 - digit)


def enlarged(digit: Grey, _: np.random.Generator) -> bytes:
    """Twenty times as large: 560x560."""
    return _png(cv2.resize(digit, None, fx=20, fy=20, interpolation=cv2.INTER_LINEAR))


def thin_pen(digit: Grey, rng: np.random.Generator) -> bytes:
    """Hairline: the middle of every stroke, three pixels wide where the stroke was some thirty."""
    hairline = cv2.dilate(_middle(_mask(digit)), np.ones((3, 3), np.uint8))
    return _png(_draw(hairline * np.float32(1), rng))


def thick_pen(digit: Grey, rng: np.random.Generator) -> bytes:
    """Felt pen: a stroke about twice as wide."""
    pen = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (15, 15))
    return _png(_draw(cv2.dilate(_mask(digit), pen) * np.float32(1), rng))


def shadow(digit: Grey, rng: np.random.Generator) -> bytes:
    """Light that falls to 35 % across the picture, in any direction."""
    picture = _draw(_mask(digit) * np.float32(1), rng).astype(np.float32)
    rows, columns = np.mgrid[-1 : 1 : picture.shape[0] * 1j, -1 : 1 : picture.shape[1] * 1j]
    angle = rng.uniform(0, 2 * np.pi)
    slope = rows * np.sin(angle) + columns * np.cos(angle)
    return _png(picture * (0.675 + 0.325 * slope / np.abs(slope).max()))


def ruled(digit: Grey, rng: np.random.Generator) -> bytes:
    """Paper with lines, and for one in three squares, thinner and fainter than the pen."""
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
    """Any ink on any paper, so long as the two colours are 120 of 441 apart."""
    while True:
        ink, paper = rng.uniform(0, 255, (2, 3))
        if np.linalg.norm(ink - paper) > 120:
            break
    share = cv2.GaussianBlur(_mask(digit) * np.float32(1), (0, 0), 1)[..., np.newaxis]
    return _png(paper + (ink - paper) * share)


def turned(digit: Grey, rng: np.random.Generator) -> bytes:
    """Camera held sideways or on its head: the EXIF says so."""
    orientation, quarters = ((3, 2), (6, 1), (8, 3))[rng.integers(0, 3)]
    picture = np.rot90(_draw(_mask(digit) * np.float32(1), rng), quarters)
    exif = Image.Exif()
    exif[0x0112] = orientation
    return _encode(picture, "JPEG", exif=exif, quality=90)


def jpeg_quality_20(digit: Grey, rng: np.random.Generator) -> bytes:
    """Small picture, 112x112, saved badly."""
    picture = cv2.resize(_draw(_mask(digit) * np.float32(1), rng), (112, 112), interpolation=cv2.INTER_AREA)
    return _encode(picture, "JPEG", quality=20)


def low_contrast(digit: Grey, rng: np.random.Generator) -> bytes:
    """Ink 10 % darker than its paper, with a little noise."""
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
    """Return `digit` as a scan of 280x280: 1 ink, 0 paper."""
    large = cv2.resize(digit, (280, 280), interpolation=cv2.INTER_CUBIC)
    return (np.asarray(large) > 127).astype(np.uint8)


def _middle(mask: Grey) -> Grey:
    """Return the one-pixel middle of the strokes of `mask`: thinning as in Zhang and Suen 1984, which cuts nothing."""
    image = np.pad(mask, 1).astype(np.bool_)
    changed = True
    while changed:
        changed = False
        for first, second in (((0, 2, 4), (2, 4, 6)), ((0, 2, 6), (0, 4, 6))):
            around = [np.roll(image, shift, (0, 1)) for shift in _AROUND]
            neighbours = np.sum(around, axis=0)
            beginnings = np.sum([~around[place] & around[(place + 1) % 8] for place in range(8)], axis=0)
            bare = ~np.logical_and.reduce([around[place] for place in first])
            bare &= ~np.logical_and.reduce([around[place] for place in second])
            peeled = image & (neighbours >= 2) & (neighbours <= 6) & (beginnings == 1) & bare
            image &= ~peeled
            changed |= bool(peeled.any())
    return image[1:-1, 1:-1].astype(np.uint8)


def _draw(ink: NDArray[np.float32], rng: np.random.Generator) -> Grey:
    """Return dark `ink`, 0..1, on light paper with a camera's blur and noise."""
    picture = _PAPER + (_INK - _PAPER) * cv2.GaussianBlur(ink, (0, 0), 1)
    return _to_bytes(picture + rng.normal(0, 2, ink.shape))


def _to_bytes(picture: NDArray[np.floating]) -> Grey:
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def _png(picture: NDArray[np.floating] | Grey) -> bytes:
    return _encode(_to_bytes(np.asarray(picture)), "PNG")


def _encode(picture: Grey, name: str, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(file, name, **options)
    return file.getvalue()
