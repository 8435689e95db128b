"""How a picture is taken: phones, scanners and files. The last step of a scene; returns uint8. Knows no digits."""

import io

import cv2
import numpy as np
from PIL import Image

from benchmarks.scenes.lights import shape_of, uneven_light
from benchmarks.scenes.textures import Generator, Grey, Pixels, chance, smooth_noise, soften, to_bytes


def phone(pixels: Pixels, rng: Generator) -> Grey:
    """Imitate a phone in a lit room: a little blur, noise, uneven light and a cast of colour."""
    pixels = uneven_light(pixels, rng) * np.float32(rng.uniform(0.78, 1.02)) * _white_balance(rng, 0.025)
    return to_bytes(_noisy(soften(pixels, rng.uniform(0.3, 1.3)), rng.uniform(0.8, 4), rng))


def steady_phone(pixels: Pixels, rng: Generator) -> Grey:
    """Imitate a phone whose light does not change across the picture."""
    return to_bytes(_noisy(soften(pixels, rng.uniform(0.3, 1)), rng.uniform(0.5, 2.5), rng))


def scanner(pixels: Pixels, rng: Generator) -> Grey:
    """Imitate a flatbed scanner: sharp, even, grey or in colour."""
    picture = to_bytes(_noisy(soften(pixels, rng.uniform(0.2, 0.7)), rng.uniform(0.3, 1.5), rng))
    if chance(rng, 0.4):
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
    return picture


def low_light(pixels: Pixels, rng: Generator) -> Grey:
    """Imitate a dark room: little contrast, much noise in blotches, and a warm cast."""
    pixels = (
        uneven_light(pixels, rng) * np.float32(rng.uniform(0.16, 0.42)) * np.float32([1.1, 1, rng.uniform(0.65, 0.95)])
    )
    shape = shape_of(pixels)
    blotches = np.stack([smooth_noise(shape, 2.5, rng) for _ in range(3)], axis=-1) * np.float32(rng.uniform(1.5, 4))
    return to_bytes(_noisy(soften(pixels, rng.uniform(0.6, 1.6)) + blotches + 6, rng.uniform(4, 10), rng))


def tilted(pixels: Pixels, rng: Generator) -> Grey:
    """Imitate a phone held at an angle: turned by up to 14 degrees and in perspective."""
    rows, columns = shape_of(pixels)
    source = np.float32([(0, 0), (columns, 0), (columns, rows), (0, rows)])
    turn = cv2.getRotationMatrix2D((columns / 2, rows / 2), rng.uniform(-14, 14), 0.88)
    target = cv2.transform(source[np.newaxis], turn)[0] + rng.normal(0, 0.07, (4, 2)) * min(rows, columns)
    matrix = cv2.getPerspectiveTransform(source, target.astype(np.float32))
    seen = cv2.warpPerspective(
        pixels, matrix, (columns, rows), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    return phone(np.asarray(seen), rng)


def blurred_jpeg(pixels: Pixels, rng: Generator) -> Grey:
    """Imitate a messenger: a small picture, out of focus or moved, compressed hard."""
    rows, columns = shape_of(pixels)
    size = rng.uniform(96, 260) / max(rows, columns)
    small = cv2.resize(pixels, None, fx=size, fy=size, interpolation=cv2.INTER_AREA)
    small = soften(small, rng.uniform(0.4, 1.6))
    if chance(rng, 0.4):
        length = int(rng.integers(3, 8))
        kernel = np.zeros((length, length), np.float32)
        cv2.line(kernel, (0, int(rng.integers(length))), (length - 1, int(rng.integers(length))), 1)
        small = cv2.filter2D(small, -1, kernel / kernel.sum())
    return compressed(to_bytes(_noisy(small, rng.uniform(0, 5), rng)), int(rng.integers(12, 45)))


def compressed(picture: Grey, quality: int) -> Grey:
    """Return a picture after JPEG."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file), np.uint8)


def _white_balance(rng: Generator, spread: float) -> Pixels:
    return (1 + rng.normal(0, spread, 3)).astype(np.float32)


def _noisy(pixels: Pixels, sigma: float, rng: Generator) -> Pixels:
    """Add a camera's noise: mostly the same in all channels."""
    shape = shape_of(pixels)
    shared = rng.standard_normal(shape, dtype=np.float32)
    return np.asarray(pixels + np.float32(sigma) * shared[..., np.newaxis])
