"""Noise fields, colours and blending: what the other modules of this package draw with. Knows no digits."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

Generator = np.random.Generator
Grey = NDArray[np.uint8]
Field = NDArray[np.float32]
"""float32 (h, w)."""
Pixels = NDArray[np.float32]
"""float32 (h, w, 3), RGB, 0 to 255."""
Colour = tuple[float, float, float]
"""RGB, 0 to 255."""
Shape = tuple[int, int]
"""Height and width in pixels."""

BLACK: Colour = (0, 0, 0)
WHITE: Colour = (255, 255, 255)


def flat(shape: Shape, colour: Colour) -> Pixels:
    """Return pixels of one colour."""
    return np.broadcast_to(np.float32(colour), (*shape, 3)).copy()


def smooth_noise(shape: Shape, cell: float, rng: Generator, stretch: float = 1) -> Field:
    """Return noise with a standard deviation of about 1 and blobs of about `cell` pixels, `stretch` times as wide."""
    rows = max(2, math.ceil(shape[0] / cell) + 1)
    columns = max(2, math.ceil(shape[1] / (cell * stretch)) + 1)
    coarse = rng.standard_normal((rows, columns), dtype=np.float32)
    return np.asarray(cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC))


def fractal_noise(shape: Shape, cell: float, rng: Generator, octaves: int = 4) -> Field:
    """Return noise with blobs of `cell` pixels, half of that, a quarter, and so on, with falling strength."""
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        total += 0.6**octave * smooth_noise(shape, max(cell / 2**octave, 1), rng)
    return total


def lay(pixels: Pixels, alpha: Field, colour: Colour) -> Pixels:
    """Return `pixels` covered by `colour` where `alpha` is 1."""
    return np.asarray(pixels + alpha.astype(np.float32)[..., np.newaxis] * (np.float32(colour) - pixels))


def scale(pixels: Pixels, factor: Field) -> Pixels:
    """Return `pixels` multiplied by a field of light."""
    return np.asarray(pixels * factor.astype(np.float32)[..., np.newaxis])


def coordinates(shape: Shape) -> tuple[Field, Field]:
    """Return the columns, float32 (1, w), and the rows, float32 (h, 1), of the pixels."""
    return np.arange(shape[1], dtype=np.float32)[np.newaxis], np.arange(shape[0], dtype=np.float32)[:, np.newaxis]


def slope(shape: Shape, rng: Generator) -> Field:
    """Return a field that rises from -1 to 1 in a random direction."""
    columns, rows = coordinates(shape)
    angle = rng.uniform(0, 2 * math.pi)
    field = (columns / shape[1] - 0.5) * np.float32(math.cos(angle)) + (rows / shape[0] - 0.5) * np.float32(
        math.sin(angle)
    )
    return np.asarray(field / np.abs(field).max(), np.float32)


def soften(field: Field, sigma: float) -> Field:
    """Return the field blurred with a Gaussian of `sigma` pixels; unchanged if that is less than a quarter pixel."""
    if sigma < 0.25:
        return field
    if sigma < 8:
        return np.asarray(cv2.GaussianBlur(field, (0, 0), sigma))
    size = (field.shape[1], field.shape[0])  # a wide blur is the same at a quarter of the size, and faster
    small = cv2.resize(field, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(cv2.GaussianBlur(small, (0, 0), sigma / 4), size, interpolation=cv2.INTER_LINEAR))


def to_bytes(pixels: Pixels) -> Grey:
    """Round to uint8."""
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def jittered(colour: Colour, spread: float, rng: Generator) -> Colour:
    """Return a colour near `colour`, brighter or darker as a whole and a little in each channel."""
    shift = rng.uniform(-spread, spread) + rng.uniform(-spread / 3, spread / 3, 3)
    red, green, blue = np.clip(np.float32(colour) + shift, 0, 255)
    return float(red), float(green), float(blue)


def chance(rng: Generator, share: float) -> bool:
    """Return True in this share of the cases."""
    return bool(rng.random() < share)
