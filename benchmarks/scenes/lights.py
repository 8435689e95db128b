"""Light and relief on a whole picture: shadows, glare, vignettes, crumples and folds. Knows no digits.

Each is a function of pixels and a random generator, and returns the pixels in that light.
"""

import math

import cv2
import numpy as np

from benchmarks.scenes.textures import (
    Field,
    Generator,
    Pixels,
    Shape,
    chance,
    coordinates,
    scale,
    slope,
    smooth_noise,
    soften,
)


def shape_of(pixels: Pixels) -> Shape:
    """Return height and width."""
    return pixels.shape[0], pixels.shape[1]


def hard_shadow(pixels: Pixels, rng: Generator) -> Pixels:
    """Draw the shadow of a phone, a hand or a window frame, with a sharp edge across the middle of the picture."""
    shape = shape_of(pixels)
    shade = soften(_silhouette(shape, rng), rng.uniform(0.8, 5))
    return _shaded(pixels, shade, rng.uniform(0.35, 0.72), rng)


def soft_shadow(pixels: Pixels, rng: Generator) -> Pixels:
    """Draw a shadow whose edge is as wide as a good part of the picture."""
    shape = shape_of(pixels)
    shade = soften(_silhouette(shape, rng), rng.uniform(0.05, 0.15) * min(shape))
    return _shaded(pixels, shade, rng.uniform(0.3, 0.62), rng)


def _shaded(pixels: Pixels, shade: Field, left: float, rng: Generator) -> Pixels:
    """Darken where `shade` is 1, to a share `left`, and a little bluer: the sky still lights a shadow."""
    colour = np.float32(left) * np.float32([1, 1 + rng.uniform(0, 0.04), 1 + rng.uniform(0, 0.1)])
    return pixels * (1 - shade[..., np.newaxis] * (1 - colour))


def _silhouette(shape: Shape, rng: Generator) -> Field:
    """Return a mask with a straight, a rounded or a rectangular edge that passes near the middle."""
    columns, rows = coordinates(shape)
    middle = np.array([shape[1], shape[0]]) * rng.uniform(0.3, 0.7, 2)
    angle = rng.uniform(0, 2 * math.pi)
    ahead = (columns - middle[0]) * math.cos(angle) + (rows - middle[1]) * math.sin(angle)
    aside = (rows - middle[1]) * math.cos(angle) - (columns - middle[0]) * math.sin(angle)
    kind = rng.integers(4)
    if kind == 0:
        return (ahead > 0).astype(np.float32)
    if kind == 1:  # a head or a hand
        return (np.hypot(ahead - 0.4 * min(shape), aside) < rng.uniform(0.35, 0.6) * min(shape)).astype(np.float32)
    if kind == 2:  # a phone, or a bar of a window
        half = rng.uniform(0.08, 0.35) * min(shape)
        return ((ahead > 0) & (np.abs(aside) < half)).astype(np.float32)
    wave = 0.06 * min(shape) * smooth_noise(shape, 0.3 * min(shape), rng)
    return (ahead + wave > 0).astype(np.float32)


def uneven_light(pixels: Pixels, rng: Generator) -> Pixels:
    """Light that falls off to one side, and towards the corners."""
    shape = shape_of(pixels)
    columns, rows = coordinates(shape)
    distance = ((columns / shape[1] - 0.5) ** 2 + (rows / shape[0] - 0.5) ** 2) * 2
    fall = np.float32(rng.uniform(0, 0.2)) * slope(shape, rng) - np.float32(rng.uniform(0, 0.25)) * distance
    return scale(pixels, 1 + fall)


def vignette(pixels: Pixels, rng: Generator) -> Pixels:
    """Black corners: the edge of a lens or of a tube, sharp or soft."""
    shape = shape_of(pixels)
    columns, rows = coordinates(shape)
    distance = np.hypot(columns / shape[1] - 0.5, rows / shape[0] - 0.5) / math.sqrt(0.5)
    start = rng.uniform(0.68, 0.85)
    width = rng.choice([0.01, 0.05, 0.15, 0.25])
    return scale(pixels, 1 - np.clip((distance - start) / width, 0, 1) * np.float32(rng.uniform(0.85, 1)))


def glare(pixels: Pixels, rng: Generator) -> Pixels:
    """Draw the reflection of a lamp or a window on a glossy ground, which washes the ink out where it is brightest."""
    shape = shape_of(pixels)
    columns, rows = coordinates(shape)
    total = np.zeros(shape, np.float32)
    for _ in range(rng.integers(1, 3)):
        middle = np.array([shape[1], shape[0]]) * rng.uniform(0.22, 0.78, 2)
        angle, radii = rng.uniform(0, math.pi), rng.uniform(0.06, 0.3, 2) * min(shape)
        ahead = (columns - middle[0]) * math.cos(angle) + (rows - middle[1]) * math.sin(angle)
        aside = (rows - middle[1]) * math.cos(angle) - (columns - middle[0]) * math.sin(angle)
        power = rng.choice([2, 2, 6])
        spot = np.exp(-((np.abs(ahead) / radii[0]) ** power + (np.abs(aside) / radii[1]) ** power))
        total += spot * np.float32(rng.uniform(0.5, 0.95))
    return pixels + (255 - pixels) * np.clip(total, 0, 0.88)[..., np.newaxis] + 14 * total[..., np.newaxis]


def crumpled(pixels: Pixels, rng: Generator) -> Pixels:
    """Crumple the paper and spread it out again: facets that face different ways, with bright and dark ridges."""
    shape = shape_of(pixels)
    relief = np.zeros(shape, np.float32)
    for share, strength in ((0.32, 1.0), (0.15, 0.55)):
        relief += strength * _facets(shape, share * min(shape), rng)
    light = 1 + np.float32(rng.uniform(0.05, 0.125)) * soften(relief, 1.2)
    bend = soften(relief, 4) * np.float32(rng.uniform(0.5, 1.6))
    columns, rows = coordinates(shape)
    warped = cv2.remap(pixels, columns + bend, rows - bend, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return scale(np.asarray(warped), light)


def _facets(shape: Shape, size: float, rng: Generator) -> Field:
    """Return a field of polygons of about `size` pixels, each with a level and a slope of its own, and its edges."""
    count = max(round(shape[0] * shape[1] / size**2), 4)
    seeds = np.ones(shape, np.uint8)
    seeds[rng.integers(0, shape[0], count), rng.integers(0, shape[1], count)] = 0
    wander = 0.05 * size
    columns, rows = coordinates(shape)
    labels = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)[1]
    labels = cv2.remap(
        labels.astype(np.float32),
        columns + np.float32(wander) * smooth_noise(shape, size / 2, rng),
        rows + np.float32(wander) * smooth_noise(shape, size / 2, rng),
        cv2.INTER_NEAREST,
        borderMode=cv2.BORDER_REFLECT,
    ).astype(np.intp)
    numbers = (2, labels.max() + 1)
    levels = rng.standard_normal(numbers[1], dtype=np.float32)
    slopes = rng.standard_normal(numbers, dtype=np.float32) / np.float32(size)
    tilt = slopes[0][labels] * columns + slopes[1][labels] * rows
    means = np.bincount(labels.ravel(), tilt.ravel()) / np.maximum(np.bincount(labels.ravel()), 1)
    field = np.asarray(0.7 * levels[labels] + tilt - means[labels], np.float32)
    ridge = soften((np.abs(cv2.Laplacian(labels.astype(np.float32), cv2.CV_32F)) > 0).astype(np.float32), 1)
    return field + 1.5 * ridge * np.sign(smooth_noise(shape, size / 2, rng))


def folded(pixels: Pixels, rng: Generator) -> Pixels:
    """Fold the paper once or twice and open it: parts of different brightness, with a line between them."""
    shape = shape_of(pixels)
    columns, rows = coordinates(shape)
    light = np.ones(shape, np.float32)
    for turned in (False, True)[: 1 + chance(rng, 0.6)] if chance(rng, 0.5) else (True,):
        along, across = (columns, rows) if turned else (rows, columns)
        size = shape[0] if turned else shape[1]
        place = rng.uniform(0.25, 0.75) * size + rng.normal(0, 0.04) * (along - along.mean())
        distance = across - place
        step = rng.uniform(0.04, 0.22) * (1 if chance(rng, 0.5) else -1)
        light *= 1 - np.float32(step) * (0.5 + 0.5 * np.tanh(distance / 2)) * np.exp(-np.abs(distance) / size)
        crease = np.exp(-((distance / rng.uniform(0.8, 2.5)) ** 2))
        light *= 1 + np.float32(rng.choice([-0.4, -0.25, -0.15, 0.12])) * crease
    return scale(pixels, light / light.max())
