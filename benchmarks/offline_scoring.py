"""Measure offline scoring: `python -m benchmarks.offline_scoring --mnist FOLDER` prints a table.

It draws pictures: MNIST's test images as PNG, and photographs of 1 to 2 megapixels as JPEG. The ceiling is what the
decoder, the preprocessing and the engines of classifier and finder do in bare loops, one on each core, with the files
in memory and the models loaded. `python -m app.score` also starts, loads the models, lists and reads the files and
writes the table.
"""

import argparse
import io
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import cycle, islice
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from app.inference.engines import LARGEST_BATCH, load_engine
from app.inference.finder_engine import load_finder_engine
from app.inference.scores import Classification
from app.model_repository.artefact import read_card
from app.model_repository.card import Card
from app.prediction.digit_choice import doubtful_clusters
from app.prediction.digit_finder import FoundDigit, divide_otherwise, find_digits
from app.prediction.second_look import needs_second_look
from benchmarks.environments import ROOT, prepare
from benchmarks.finding import highest_version
from benchmarks.processes import running, unwind_when_terminated
from benchmarks.scenes.examples import TestDigits, read_test_digits
from benchmarks.scenes.kinds import KINDS
from imaging import as_rgb, encode_png, is_tiny, preprocess_pictures

MODELS = ROOT / "models"
MODEL = "convnet"
_PHOTOGRAPHS = tuple(name for name, kind in KINDS.items() if name not in ("almost MNIST", "figure with axes"))
_DISTINCT_PHOTOGRAPHS = 30
_WARM_UP = 40
"""Pictures before the time is measured."""
_POLL_SECONDS = 1.0


class Run(NamedTuple):
    """The cost of one way to score all pictures."""

    name: str
    seconds: float
    memory_mb: float | None = None
    """The largest sum of all processes, with shared memory counted once."""


def draw_photographs(digits: TestDigits, count: int) -> list[bytes]:
    """Draw photographs of 1 to 2 megapixels, one of each kind of scene in turn, as JPEG files."""
    rng = np.random.default_rng(0)
    files = []
    for name, (digit, _) in zip(islice(cycle(_PHOTOGRAPHS), count), digits.drawn_from(rng), strict=False):
        picture = Image.fromarray(KINDS[name](digit, rng)).convert("RGB")
        factor = (rng.uniform(1e6, 2e6) / (picture.width * picture.height)) ** 0.5
        size = round(picture.width * factor), round(picture.height * factor)
        file = io.BytesIO()
        picture.resize(size, Image.Resampling.BICUBIC).save(file, "JPEG", quality=88)
        files.append(file.getvalue())
    return files


def write_files(folder: Path, files: Sequence[bytes], count: int, suffix: str) -> None:
    """Write `count` files: the first ones, and then links to these again and again."""
    folder.mkdir()
    for number in range(count):
        path = folder / f"{number:06}{suffix}"
        if number < len(files):
            path.write_bytes(files[number])
        else:
            path.hardlink_to(folder / f"{number % len(files):06}{suffix}")


class BareScorer:
    """The decoder, the preprocessing and the engines, without the rest of the service."""

    def __init__(self) -> None:
        directory = highest_version(MODELS / MODEL)
        card = read_card(directory)
        if not isinstance(card, Card):
            raise TypeError(card)
        self._thresholds = card.abstention
        self._engine = load_engine("openvino", directory)
        self._finder = load_finder_engine("openvino", highest_version(MODELS / "finder"))

    def score(self, files: Sequence[bytes]) -> None:
        """Score at most a batch of files."""
        pictures = preprocess_pictures(files)
        classifications = self._engine(np.stack([picture.image for picture in pictures])).classifications
        for picture, classification in zip(pictures, classifications, strict=True):
            if not needs_second_look(picture, classification, self._thresholds) or is_tiny(picture.pixels):
                continue
            rgb = as_rgb(picture.pixels)
            finds = find_digits(rgb, self._finder, thorough=False)
            choices = list(zip(finds.digits, self._classify(finds.digits), strict=True))
            if doubtful := doubtful_clusters(choices, self._thresholds):
                self._classify(divide_otherwise(rgb, finds, doubtful, thorough=False))

    def _classify(self, digits: Sequence[FoundDigit]) -> list[Classification]:
        images = [digit.image for digit in digits]
        batches = [np.stack(images[start : start + LARGEST_BATCH]) for start in range(0, len(images), LARGEST_BATCH)]
        return [each for batch in batches for each in self._engine(batch).classifications]


def loop(kinds: Sequence[tuple[Sequence[bytes], int]], barrier: Barrier, seconds: Queue) -> None:
    """Score pictures in a bare loop, at the same time as other processes. Puts the seconds for each kind.

    Args:
        kinds: for each kind of pictures its distinct files, and how many pictures to score.
        barrier: for all processes.
        seconds: takes a list.

    """
    scorer = BareScorer()
    times = []
    for files, count in kinds:
        pictures = list(islice(cycle(files), max(count, _WARM_UP)))
        batches = [pictures[start : start + LARGEST_BATCH] for start in range(0, len(pictures), LARGEST_BATCH)]
        scorer.score(pictures[:LARGEST_BATCH])
        barrier.wait()
        started = time.perf_counter()
        for batch in batches if count else []:
            scorer.score(batch)
        barrier.wait()
        times.append(time.perf_counter() - started)
    seconds.put(times)


def measure_ceiling(kinds: Sequence[tuple[Sequence[bytes], int]], processes: int) -> list[float]:
    """Return the seconds for each kind of pictures in bare loops, one in each process."""
    context = multiprocessing.get_context("spawn")
    barrier, seconds = context.Barrier(processes), context.Queue()
    shares = [(files, count // processes) for files, count in kinds]
    loops = [context.Process(target=loop, args=(shares, barrier, seconds)) for _ in range(processes)]
    for each in loops:
        each.start()
    times = [seconds.get() for _ in loops]
    for each in loops:
        each.join()
    return [max(each) for each in zip(*times, strict=True)]


def measure_program(name: str, folder: Path, processes: int, *options: str, python: str = sys.executable) -> Run:
    """Run the program with a Python interpreter, and measure its time and its memory."""
    out, log = folder.parent / f"{name}.parquet", folder.parent / f"{name}.log"
    command = [
        python,
        "-m",
        "app.score",
        str(folder),
        "--out",
        str(out),
        "--processes",
        str(processes),
        *options,
    ]
    started, memory = time.perf_counter(), 0.0
    with running(command, folder=ROOT, environment={"MODELS_DIR": str(MODELS)}, log=log) as program:
        while not program.has_ended():
            memory = max(memory, program.resident_mb())
            time.sleep(_POLL_SECONDS)
        seconds = time.perf_counter() - started
        if program.process.returncode:
            sys.exit(f"{name} failed:\n{program.log_tail()}")
    return Run(name, seconds, memory)


def print_table(runs: Sequence[Run], pictures: int) -> None:
    """Print the runs, of which the first is the ceiling."""
    print("| run | seconds | pictures a second | share of the ceiling | memory, MB |\n|---|---:|---:|---:|---:|")
    for name, seconds, memory in runs:
        share, megabytes = runs[0].seconds / seconds, "" if memory is None else f"{memory:.0f}"
        print(f"| {name} | {seconds:.1f} | {pictures / seconds:,.0f} | {share:.2f} | {megabytes} |")


def main() -> None:
    """Draw the pictures, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    mnist = os.environ.get("MNIST_DIR")
    parser.add_argument("--mnist", type=Path, default=mnist, help="MNIST's folder; default: the variable MNIST_DIR")
    parser.add_argument("--pngs", type=int, default=100_000, help="MNIST-sized pictures; default: %(default)s")
    parser.add_argument("--photographs", type=int, default=5_000, help="default: %(default)s")
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)), help="default: the cores")
    parser.add_argument("--no-ray", action="store_true", help="do not measure --ray local")
    arguments = parser.parse_args()
    if arguments.mnist is None:
        parser.error("give --mnist FOLDER, or set MNIST_DIR")
    unwind_when_terminated()
    os.environ["OPENCV_FOR_THREADS_NUM"] = "1"  # as in the program
    digits = read_test_digits(arguments.mnist)
    pngs = [encode_png(image) for image in digits.images[: arguments.pngs]]
    photographs = draw_photographs(digits, min(_DISTINCT_PHOTOGRAPHS, arguments.photographs))
    ceiling = measure_ceiling([(pngs, arguments.pngs), (photographs, arguments.photographs)], arguments.processes)
    print(f"{arguments.pngs:,} PNGs take {ceiling[0]:.1f} seconds in bare loops, ", end="")
    print(f"and {arguments.photographs:,} photographs {ceiling[1]:.1f}.\n", flush=True)
    runs = [Run("bare loops", sum(ceiling))]
    with tempfile.TemporaryDirectory(prefix="digitserve-scoring-") as temporary:
        folder = Path(temporary) / "pictures"
        folder.mkdir()
        write_files(folder / "mnist", pngs, arguments.pngs, ".png")
        write_files(folder / "photographs", photographs, arguments.photographs, ".jpg")
        # What users install: with the development requirements, the program would need more memory.
        python = str(prepare("digitserve-score", ROOT / "requirements" / "score.txt") / "python")
        runs.append(measure_program("app.score", folder, arguments.processes, python=python))
        if not arguments.no_ray:
            runs.append(measure_program("app.score --ray local", folder, arguments.processes, "--ray", "local"))
    print_table(runs, arguments.pngs + arguments.photographs)


if __name__ == "__main__":
    main()
