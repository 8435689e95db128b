"""Measure the time and memory of preprocessing a picture: `python -m benchmarks.imaging` prints a table.

It measures on one core, one picture at a time, and each kind in a new process. The pictures are drawn in code.
"""

import argparse
import io
import multiprocessing
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from imaging import decode, encode_png, normalise, preprocess_picture


class Kind(NamedTuple):
    """A kind of picture, and the limit for its time in milliseconds."""

    name: str
    height: int
    width: int
    mode: str
    format: str
    limit: float | None


KINDS = (
    Kind("28x28 in MNIST's form, PNG", 28, 28, "mnist", "PNG", 0.08),
    Kind("28x28 dark on light, PNG", 28, 28, "L", "PNG", None),
    Kind("280x280 drawing, grey PNG", 280, 280, "L", "PNG", None),
    Kind("280x280 drawing, RGBA PNG", 280, 280, "RGBA", "PNG", None),
    Kind("1 megapixel drawing, grey PNG", 1000, 1000, "L", "PNG", 15),
    Kind("1 megapixel drawing, RGB PNG", 1000, 1000, "RGB", "PNG", 15),
    Kind("1 megapixel photograph, RGB PNG", 1000, 1000, "photo", "PNG", None),
    Kind("1 megapixel photograph, JPEG", 1000, 1000, "photo", "JPEG", 15),
    Kind("12 megapixel photograph, JPEG", 3000, 4000, "photo", "JPEG", 60),
    Kind("24 megapixel drawing, RGB PNG", 4000, 6000, "RGB", "PNG", None),
)


class Cost(NamedTuple):
    """The cost of one picture: medians of processor time in milliseconds, and memory in megabytes."""

    size: int
    """Of the file, in bytes."""
    decode: float
    normalise: float
    whole: float
    memory: float


def draw(kind: Kind) -> bytes:
    """Draw a 2, and return it as a file of this kind."""
    side = min(kind.height, kind.width)
    corners = np.array([(0.3, 0.35), (0.45, 0.22), (0.65, 0.3), (0.35, 0.75), (0.7, 0.75)])
    picture = np.full((kind.height, kind.width), 250, np.uint8)
    cv2.polylines(picture, [(corners * side).astype(np.int32)], False, 20, max(1, side // 25), cv2.LINE_AA)  # noqa: FBT003 - OpenCV's own order
    if kind.mode == "mnist":
        return encode_png(normalise(picture).image)
    if kind.mode == "photo":
        noise = np.random.default_rng(0).normal(0, 4, (kind.height, kind.width, 3))
        light = np.linspace(1, 0.6, kind.width)[:, np.newaxis]
        pixels = np.clip(picture[..., np.newaxis] * light + noise, 0, 255).astype(np.uint8)
    else:
        pixels = np.asarray(Image.fromarray(picture).convert(kind.mode))
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind.format, **({"quality": 85} if kind.format == "JPEG" else {}))
    return file.getvalue()


def measure(data: bytes, seconds: float) -> Cost:
    """Preprocess `data` repeatedly for about `seconds` seconds, on one core."""
    cv2.setNumThreads(1)
    preprocess_picture(encode_png(np.full((60, 50), 200, np.uint8)))
    memory = peak_memory(data)
    pixels = decode(data)
    steps = (lambda: decode(data), lambda: normalise(pixels), lambda: preprocess_picture(data))
    times: list[list[float]] = [[], [], []]
    end = time.monotonic() + seconds
    while time.monotonic() < end or len(times[0]) < 5:
        for step, taken in zip(steps, times, strict=True):
            start = time.process_time()
            step()
            taken.append((time.process_time() - start) * 1000)
    return Cost(len(data), *(statistics.median(taken) for taken in times), memory)


def peak_memory(data: bytes) -> float:
    """Return the peak memory of preprocessing `data`, in megabytes. It needs Linux, where the peak can be reset."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = memory_status("VmRSS")
    preprocess_picture(data)
    return (memory_status("VmHWM") - before) / 1024


def memory_status(field: str) -> int:
    """Return a field of the process's memory, in kilobytes."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3, help="how long to measure each kind (default: %(default)s)")
    seconds = parser.parse_args().seconds
    print("| picture | file, kB | decode, ms | normalise, ms | whole, ms | limit, ms | memory, MB |")
    print("|---|---|---|---|---|---|---|")
    for kind in KINDS:
        data = draw(kind)
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as fresh:
            cost = fresh.submit(measure, data, seconds).result()
        row = (
            f"{cost.size / 1000:.1f}",
            *(f"{value:.3g}" for value in cost[1:4]),
            kind.limit or "",
            f"{cost.memory:.0f}",
        )
        print(f"| {kind.name} | {' | '.join(map(str, row))} |")


if __name__ == "__main__":
    main()
