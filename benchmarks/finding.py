"""Measure the time of finding digits in a picture: `python -m benchmarks.finding` prints a table.

It measures the published finder and classifier on one core, one picture at a time. The pictures are drawn in code.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from app.inference.engines import LARGEST_BATCH, load_engine
from app.inference.finder_engine import FinderMaps, Pictures, load_finder_engine
from app.prediction.digit_finder import find_digits
from benchmarks.imaging import KINDS, draw
from imaging import as_rgb, decode, decode_scene, normalise


class Finder:
    """The published finder, which counts its runs."""

    def __init__(self, directory: Path) -> None:
        self._engine = load_finder_engine("openvino", directory)
        self.runs = 0

    def __call__(self, pictures: Pictures) -> FinderMaps:
        """Return the maps of pictures."""
        self.runs += len(pictures)
        return self._engine(pictures)


class Cost(NamedTuple):
    """The cost of one picture: medians of processor time in milliseconds."""

    first_look: float
    """Of the steps of `imaging` after decoding."""
    runs: int
    """Of the finder."""
    find: float
    classify: float


def draw_sheet(rows: int, columns: int, pitch: int = 60) -> NDArray[np.uint8]:
    """Draw a sheet of digits, uint8 (rows * pitch, columns * pitch, 3): the number of the column, printed."""
    sheet = np.full((rows * pitch, columns * pitch, 3), 245, np.uint8)
    for row in range(rows):
        for column in range(columns):
            place = int((column + 0.25) * pitch), int((row + 0.8) * pitch)
            cv2.putText(sheet, str(column % 10), place, cv2.FONT_HERSHEY_SIMPLEX, pitch / 40, (30, 30, 30), 3)
    return sheet


def measure(
    pixels: NDArray[np.uint8], finder: Finder, classify: Callable[[NDArray[np.uint8]], object], *, thorough: bool
) -> Cost:
    """Measure one picture."""
    finder.runs = 0
    images = np.array([digit.image for digit in find_digits(as_rgb(pixels), finder, thorough=thorough).digits])
    runs = finder.runs
    batches = [images[start : start + LARGEST_BATCH] for start in range(0, len(images), LARGEST_BATCH)]
    return Cost(
        median_ms(lambda: normalise(pixels)),
        runs,
        median_ms(lambda: find_digits(as_rgb(pixels), finder, thorough=thorough)),
        median_ms(lambda: [classify(batch) for batch in batches]),
    )


def median_ms(function: Callable[[], object], repeats: int = 15) -> float:
    """Return the median processor time of a call, in milliseconds."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        function()
        times.append((time.process_time() - start) * 1000)
    return statistics.median(times)


def highest_version(model: Path) -> Path:
    """Return the folder of the highest version of a model."""
    return max((path for path in model.iterdir() if path.name.isdecimal()), key=lambda path: int(path.name))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, default=Path("models"), help="default: %(default)s")
    models = parser.parse_args().models
    cv2.setNumThreads(1)
    finder = Finder(highest_version(models / "finder"))
    classify = load_engine("openvino", highest_version(models / "convnet"))
    photographs = [kind for kind in KINDS if kind.format == "JPEG"]
    print("| picture | first look, ms | runs of the finder | find, ms | classify, ms |\n|---|---|---|---|---|")
    for kind in photographs:
        cost = measure(decode(draw(kind)), finder, classify, thorough=False)
        print_row(f"`/predict`: {kind.name}", cost)
        print_row(f"`/read`: {kind.name}", measure(decode_scene(draw(kind)).pixels, finder, classify, thorough=True))
    print_row("`/read`: sheet of 100 digits", measure(draw_sheet(10, 10), finder, classify, thorough=True))


def print_row(name: str, cost: Cost) -> None:
    """Print one row of the table."""
    print(f"| {name} | {cost.first_look:.1f} | {cost.runs} | {cost.find:.1f} | {cost.classify:.1f} |")


if __name__ == "__main__":
    main()
