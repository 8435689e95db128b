"""What light, camera and scanner do to a page: shadows, perspective, blur, noise, compression. Knows no digits."""

import cv2
import numpy as np
import numpy.typing as npt

from training.data.pages.canvas import Canvas


def cast_shadow(canvas: Canvas, rng: np.random.Generator) -> None:
    """Cast the shadow of a hand, a head or a window frame, with a hard or soft edge."""
    y, x = np.mgrid[: canvas.height, : canvas.width].astype(np.float32)
    middle = rng.uniform(0.1, 0.9, 2) * [canvas.width, canvas.height]
    angle = rng.uniform(0, 2 * np.pi)
    kind = rng.random()
    if kind < 0.45:
        distance = (x - middle[0]) * np.cos(angle) + (y - middle[1]) * np.sin(angle)
        distance += rng.uniform(0, 12) * np.sin((x * np.sin(angle) - y * np.cos(angle)) * rng.uniform(0.01, 0.06))
    elif kind < 0.75:
        distance = np.hypot(x - middle[0], (y - middle[1]) * rng.uniform(0.5, 2)) - rng.uniform(0.2, 0.6) * canvas.width
    else:  # a rectangle, as a ruler, a phone or a frame casts it
        along = (x - middle[0]) * np.cos(angle) + (y - middle[1]) * np.sin(angle)
        across = (y - middle[1]) * np.cos(angle) - (x - middle[0]) * np.sin(angle)
        length, width = rng.uniform(0.08, 0.5, 2) * canvas.width
        distance = np.maximum(np.abs(along) - length, np.abs(across) - width)
    if rng.random() < 0.5:
        distance = -distance
    edge = 0.5 + np.clip(distance / np.exp(rng.uniform(-0.5, 3.5)), -0.5, 0.5)
    canvas.shade((1 - rng.uniform(0.15, 0.7) * edge).astype(np.float32))


def tilt(canvas: Canvas, rng: np.random.Generator) -> None:
    """Turn the page a little and look at it from the side; the page keeps its size."""
    height, width = canvas.height, canvas.width
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    angle = rng.normal(0, 0.06)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    middle = corners.mean(axis=0)
    moved = (corners - middle) @ turn + middle + rng.uniform(-0.04, 0.04, (4, 2)) * [width, height]
    matrix = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    for name, border in (
        ("pixels", cv2.BORDER_REPLICATE),
        ("ink", cv2.BORDER_CONSTANT),
        ("cores", cv2.BORDER_CONSTANT),
        ("contact", cv2.BORDER_CONSTANT),
    ):
        warped = cv2.warpPerspective(getattr(canvas, name), matrix, (width, height), borderMode=border)
        setattr(canvas, name, np.asarray(warped, np.float32))


def photograph(pixels: npt.NDArray[np.float32], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Return the page as a camera, scanner or program would save it: uint8 of the same shape."""
    pixels = _develop(pixels, rng)
    if rng.random() < 0.3:
        pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.3, 1.6)), np.float32)
    if rng.random() < 0.08:  # shaken
        length = int(rng.integers(2, 6))
        kernel = np.eye(length, dtype=np.float32) if rng.random() < 0.5 else np.ones((1, length), np.float32)
        pixels = np.asarray(cv2.filter2D(pixels, -1, kernel / kernel.sum()), np.float32)
    if rng.random() < 0.22:
        noise = rng.standard_normal((*pixels.shape[:2], 1 if rng.random() < 0.6 else 3), np.float32)
        pixels = pixels + rng.uniform(1, 10) * noise
    picture = np.clip(pixels, 0, 255).astype(np.uint8)
    if rng.random() < 0.03:
        picture = _add_impulses(picture, rng)
    if rng.random() < 0.4:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 96))]
        picture = np.asarray(cv2.imdecode(cv2.imencode(".jpg", picture, quality)[1], cv2.IMREAD_COLOR), np.uint8)
    return picture


def _develop(pixels: npt.NDArray[np.float32], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Change brightness, contrast and colours; sometimes to grey, to two levels or to the negative."""
    if rng.random() < 0.3:
        pixels = np.repeat(pixels.mean(axis=2, keepdims=True), 3, axis=2)
    if rng.random() < 0.5:
        low, high = rng.uniform(0, 70), rng.uniform(170, 255)
        pixels = low + np.clip(pixels, 0, 255) * ((high - low) / 255)
    if rng.random() < 0.3:
        pixels = pixels * rng.uniform(0.75, 1.1, 3).astype(np.float32)
    if rng.random() < 0.04:
        local = cv2.blur(pixels.mean(axis=2), (61, 61)) if rng.random() < 0.5 else pixels.mean()
        contrast = pixels.mean(axis=2) - local + rng.uniform(0, 25) * (1 if pixels.mean() > 110 else -1)
        level = np.clip(127 + contrast * rng.uniform(5, 60), 0, 255)
        pixels = np.repeat(level[..., np.newaxis], 3, axis=2)
    if rng.random() < 0.12:
        pixels = 255 - pixels
    return pixels.astype(np.float32)


def _add_impulses(picture: npt.NDArray[np.uint8], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Set random pixels to black or white."""
    hit = rng.random(picture.shape[:2]) < rng.uniform(0.01, 0.12)
    picture[hit] = rng.choice([0, 255], size=(int(hit.sum()), 1)).astype(np.uint8)
    return picture


def lower_resolution(canvas: Canvas, factor: float, rng: np.random.Generator) -> None:
    """Reduce the picture by `factor` and enlarge it again, as a small picture is enlarged for the finder."""
    small = max(int(canvas.width / factor), 4), max(int(canvas.height / factor), 4)
    reduced = cv2.resize(canvas.pixels, small, interpolation=cv2.INTER_AREA)
    way = cv2.INTER_NEAREST if rng.random() < 0.3 else cv2.INTER_LINEAR
    canvas.pixels = np.asarray(cv2.resize(reduced, (canvas.width, canvas.height), interpolation=way), np.float32)
