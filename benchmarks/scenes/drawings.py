"""Digits without a page: clean drawings, thin pens, tight crops, and 28x28 pixels that are not in MNIST's form.

Each is a function of a digit, uint8 (28, 28), white on black, and a random generator, and returns a grey picture.
"""

import math

import cv2
import numpy as np

from benchmarks.scenes.pens import Pen, ink_of_digit
from benchmarks.scenes.textures import BLACK, Field, Generator, Grey, chance, to_bytes


def canvas(ink: Field, rng: Generator, *, dark: bool = False, size: tuple[float, float] = (1.25, 2.4)) -> Grey:
    """Place ink on a canvas that is `size` times as large, black on white, or white on black if `dark`."""
    side = round(max(ink.shape) * rng.uniform(*size))
    picture = np.zeros((side, round(side * rng.choice([1, 1, 1.25, 0.8]))), np.float32)
    if picture.shape[1] <= ink.shape[1]:
        picture = np.zeros((side, side), np.float32)
    top, left = (
        round((whole - part) * float(np.clip(rng.normal(0.5, 0.15), 0.05, 0.95)))
        for whole, part in zip(picture.shape, ink.shape, strict=True)
    )
    picture[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return to_bytes(255 * (picture if dark else 1 - picture))


def _mouse_ink(digit: Grey, rng: Generator, width: float, *, antialiased: bool = True) -> Field:
    own = antialiased and chance(rng, 0.4)
    pen = Pen(BLACK, width, pressure=0, antialiased=antialiased, own_stroke=own)
    return ink_of_digit(digit, rng.uniform(120, 360), pen, rng)


def clean_dark_on_light(digit: Grey, rng: Generator) -> Grey:
    """Draw as in a paint program: black on white."""
    return canvas(_mouse_ink(digit, rng, rng.uniform(0.05, 0.16)), rng)


def clean_light_on_dark(digit: Grey, rng: Generator) -> Grey:
    """Draw as in a paint program: white on black."""
    return canvas(_mouse_ink(digit, rng, rng.uniform(0.05, 0.16)), rng, dark=True)


def small_on_large(digit: Grey, rng: Generator) -> Grey:
    """Draw a digit of 18 to 45 pixels somewhere on a canvas of 400 to 900."""
    pen = Pen(BLACK, rng.uniform(0.07, 0.14), own_stroke=chance(rng, 0.5))
    ink = ink_of_digit(digit, rng.uniform(18, 45), pen, rng)
    side = rng.uniform(400, 900) / max(ink.shape)
    return canvas(ink, rng, dark=chance(rng, 0.3), size=(side, side))


def thin_pen(digit: Grey, rng: Generator) -> Grey:
    """Draw with a pen of 1 to 4 pixels without antialiasing on a canvas of 280 to 600 pixels."""
    side = rng.uniform(280, 600)
    height = side * rng.uniform(0.35, 0.8)
    pen = Pen(BLACK, int(rng.integers(1, 5)) / height, antialiased=False)
    ink = ink_of_digit(digit, height, pen, rng)
    return canvas(ink, rng, dark=chance(rng, 0.35), size=(side / max(ink.shape), side / max(ink.shape)))


def tight_crop(digit: Grey, rng: Generator, side: int) -> Grey:
    """Make a digit that fills its picture of `side` pixels, with ink at the border, stretched to a square on some."""
    rows, columns = np.nonzero(digit.max(axis=1) > 40)[0], np.nonzero(digit.max(axis=0) > 40)[0]
    tile = digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    longest = max(tile.shape)
    if chance(rng, 0.65) or min(tile.shape) < 0.35 * longest:  # a 1 is not stretched to a square
        space = longest - np.array(tile.shape)
        tile = np.pad(tile, [(space[0] // 2, space[0] - space[0] // 2), (space[1] // 2, space[1] - space[1] // 2)])
    sixteen = cv2.resize(tile, (side * 8, side * 8), interpolation=cv2.INTER_CUBIC)
    small = cv2.resize(sixteen, (side, side), interpolation=cv2.INTER_AREA)
    if chance(rng, 0.25) and side > 8:
        small = np.where(small > 110, 255, 0).astype(np.uint8)
    elif side == 8:
        small = np.asarray(np.rint(small / 16) * 15.9, np.uint8)
    return small if chance(rng, 0.5) else 255 - small


def almost_mnist(digit: Grey, rng: Generator) -> Grey:
    """Make a picture of 28x28 that is MNIST's no more: moved, resized, noisy, crossed, inverted or faint."""
    changes = (_moved, _resized, _impulse_noise, _striped, _zigzag, _inverted, _faint, _foggy, _spattered, _dotted)
    return changes[rng.integers(len(changes))](digit, rng)


def _moved(digit: Grey, rng: Generator) -> Grey:
    shift = np.float32([[1, 0, rng.uniform(-4, 4)], [0, 1, rng.uniform(-4, 4)]])
    return np.asarray(cv2.warpAffine(digit, shift, (28, 28)))


def _resized(digit: Grey, rng: Generator) -> Grey:
    matrix = cv2.getRotationMatrix2D((13.5, 13.5), rng.uniform(-15, 15), rng.uniform(0.6, 1.15))
    return np.asarray(cv2.warpAffine(digit, matrix, (28, 28)))


def _impulse_noise(digit: Grey, rng: Generator) -> Grey:
    draw, share = rng.random((28, 28)), rng.uniform(0.01, 0.06)
    return np.where(draw < share, 0, np.where(draw > 1 - share, 255, digit)).astype(np.uint8)


def _striped(digit: Grey, rng: Generator) -> Grey:
    """Invert a band of rows at the top and at the bottom, or of columns."""
    picture = digit.copy()
    width = int(rng.integers(4, 9))
    picture[:width], picture[-width:] = 255 - picture[:width], 255 - picture[-width:]
    return picture if chance(rng, 0.5) else _striped_columns(digit, width)


def _striped_columns(digit: Grey, width: int) -> Grey:
    picture = digit.copy()
    picture[:, :width], picture[:, -width:] = 255 - picture[:, :width], 255 - picture[:, -width:]
    return picture


def _zigzag(digit: Grey, rng: Generator) -> Grey:
    """Draw a thin bright zigzag across the picture."""
    picture = digit.copy()
    columns = np.linspace(0, 28, int(rng.integers(6, 10)))
    rows = rng.uniform(8, 20) + rng.uniform(2, 4) * (-1.0) ** np.arange(len(columns)) + rng.uniform(-0.2, 0.2) * columns
    points = np.int32(np.stack([columns, rows], axis=1) * 16).reshape(-1, 1, 2)
    cv2.polylines(picture, [points], False, int(rng.integers(160, 256)), 1, cv2.LINE_AA, 4)  # noqa: FBT003 - OpenCV's
    return picture


def _inverted(digit: Grey, _: Generator) -> Grey:
    return 255 - digit


def _faint(digit: Grey, rng: Generator) -> Grey:
    return to_bytes(digit * np.float32(rng.uniform(0.2, 0.6)) + rng.uniform(0, 80))


def _foggy(digit: Grey, rng: Generator) -> Grey:
    coarse = rng.random((5, 5), dtype=np.float32)
    fog = 255 * rng.uniform(0.2, 0.5) * np.clip(cv2.resize(coarse, (28, 28), interpolation=cv2.INTER_CUBIC), 0, 1)
    return to_bytes(digit * np.float32(0.6) + fog)


def _spattered(digit: Grey, rng: Generator) -> Grey:
    picture = digit.copy()
    for _ in range(rng.integers(2, 7)):
        centre = tuple(int(value) for value in rng.integers(0, 28, 2))
        cv2.circle(picture, centre, int(rng.integers(0, 2)), int(rng.integers(120, 256)), -1)
    return picture


def _dotted(digit: Grey, rng: Generator) -> Grey:
    """Draw a dotted line across the picture."""
    picture = digit.copy()
    angle, middle = rng.uniform(0, math.pi), rng.uniform(9, 19, 2)
    for step in range(-16, 17, 3):
        column, row = np.rint(middle + step * np.array([math.cos(angle), math.sin(angle)])).astype(int)
        if 0 <= row < 28 and 0 <= column < 28:
            picture[row, column] = 230
    return picture
