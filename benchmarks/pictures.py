"""Measure how much each preprocessing step adds to the accuracy: `python -m benchmarks.pictures labels.csv`.

It preprocesses pictures of digits with all steps, then without one step at a time (an ablation), then as most services
do, and prints the accuracy of each. The CSV has the columns `file` (a path relative to the CSV) and `label`, and may
have `kind` and `writer`, by which the accuracy is grouped. `--rendered N` uses N MNIST test digits under each condition
of `rendering.py` instead.
"""

import argparse
import csv
import gzip
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import cv2
import numpy as np
from numpy.typing import NDArray

from app.inference.engines import LARGEST_BATCH, Engine, load_engine
from benchmarks.rendering import CONDITIONS
from imaging import PreprocessedPicture, decode, preprocess_picture
from imaging.components import Components

Grey = NDArray[np.uint8]


class Picture(NamedTuple):
    """A picture file with its label and its groups."""

    data: bytes
    digit: int
    groups: dict[str, str]


def luminance(pixels: Grey) -> Grey:
    """Convert to luminance, instead of projecting on the first principal component."""
    return pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)


def uniform_background(small: Grey) -> Grey:
    """Use one background for the whole picture, the median of its frame, instead of an estimate for each pixel."""
    frame = np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])
    return np.full_like(small, np.median(frame))


def otsu(contrast: Grey) -> Grey:
    """Use Otsu's threshold on the whole picture, instead of a threshold with hysteresis."""
    return cv2.threshold(contrast, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[1]


def all_components(components: Components) -> NDArray[np.intp]:
    """Select all components, instead of the main component and those near it."""
    return np.arange(1, len(components.boxes))


def unchanged_digit(_: Grey, digit: Grey) -> Grey:
    """Keep the digit's mask, instead of binarising the digit with a local threshold."""
    return digit


def unchanged_ink(ink: Grey) -> Grey:
    """Keep the ruled lines."""
    return ink


def unchanged_strokes(digit: Grey, _: float) -> Grey:
    """Keep the stroke width."""
    return 255 * digit


STEPS: dict[str, tuple[str, Callable[..., object]]] = {
    "grey by principal component": ("imaging.preprocessing.to_grey", luminance),
    "background estimation": ("imaging.ink._estimate_background", uniform_background),
    "threshold with hysteresis": ("imaging.preprocessing.find_ink", otsu),
    "removal of ruled lines": ("imaging.preprocessing.remove_ruled_lines", unchanged_ink),
    "selection of components": ("imaging.preprocessing.select_digit", all_components),
    "local threshold": ("imaging.preprocessing.binarise_digit", unchanged_digit),
    "stroke width normalisation": ("imaging.preprocessing.normalise_stroke_width", unchanged_strokes),
}
"""Each step: the function that implements it, and its replacement in the ablation."""


def resized(data: bytes) -> PreprocessedPicture:
    """Only resize the picture, as most services do."""
    return PreprocessedPicture(
        np.asarray(cv2.resize(luminance(decode(data)), (28, 28), interpolation=cv2.INTER_AREA)), None
    )


def resized_and_inverted(data: bytes) -> PreprocessedPicture:
    """Resize the picture, and invert it if it is bright."""
    image = resized(data).image
    return PreprocessedPicture(255 - image if image.mean() > 127 else image, None)


def read_labelled(table: Path) -> list[Picture]:
    """Load the pictures that the CSV names."""
    with table.open(newline="", encoding="utf-8") as lines:
        return [
            Picture(
                (table.parent / row["file"]).read_bytes(),
                int(row["label"]),
                {column: row[column] for column in ("kind", "writer") if column in row},
            )
            for row in csv.DictReader(lines)
        ]


def render(mnist: Path, count: int) -> list[Picture]:
    """Render the first `count` MNIST test digits under every condition."""
    images = np.frombuffer(gzip.decompress((mnist / "t10k-images-idx3-ubyte.gz").read_bytes()), np.uint8, offset=16)
    labels = np.frombuffer(gzip.decompress((mnist / "t10k-labels-idx1-ubyte.gz").read_bytes()), np.uint8, offset=8)
    digits = list(zip(images.reshape(-1, 28, 28)[:count], labels[:count], strict=True))
    return [
        Picture(condition(image, rng), int(label), {"condition": name})
        for name, condition in CONDITIONS.items()
        for rng in [np.random.default_rng(0)]
        for image, label in digits
    ]


def classify(
    pictures: list[Picture], preprocess: Callable[[bytes], PreprocessedPicture], engine: Engine
) -> tuple[list[bool], int]:
    """Return whether each picture was classified correctly, and the number of pictures with a finding."""
    preprocessed = [preprocess(picture.data) for picture in pictures]
    images = np.stack([picture.image for picture in preprocessed])
    batches = [images[start : start + LARGEST_BATCH] for start in range(0, len(images), LARGEST_BATCH)]
    predictions = np.concatenate([engine(batch).probabilities.argmax(axis=1) for batch in batches])
    correct = [prediction == picture.digit for prediction, picture in zip(predictions, pictures, strict=True)]
    return correct, sum(picture.finding is not None for picture in preprocessed)


def percent(correct: Iterable[bool]) -> str:
    """Format the accuracy as a percentage."""
    return f"{100 * np.mean(list(correct)):.1f} %"


def report(pictures: list[Picture], correct: list[bool], findings: int) -> None:
    """Print the accuracy with all steps, by group."""
    print(f"{len(pictures)} pictures: {percent(correct)} correct, {findings} with a finding\n")
    for column in pictures[0].groups:
        groups = defaultdict(list)
        for picture, is_correct in zip(pictures, correct, strict=True):
            groups[picture.groups[column]].append(is_correct)
        mean = percent(float(np.mean(group)) for group in groups.values())
        print(f"| {column} | pictures | correct |\n|---|---|---|")
        for name, group in sorted(groups.items()):
            print(f"| {name} | {len(group)} | {percent(group)} |")
        print(f"| mean | | {mean} |\n")


def ablate(pictures: list[Picture], engine: Engine) -> None:
    """Print the accuracy without one step at a time."""
    print("| without | correct |\n|---|---|")
    for step, (function, replacement) in STEPS.items():
        with patch(function, replacement):
            print(f"| {step} | {percent(classify(pictures, preprocess_picture, engine)[0])} |")
    for name, preprocess in {"all: resize, invert if bright": resized_and_inverted, "all: resize": resized}.items():
        print(f"| {name} | {percent(classify(pictures, preprocess, engine)[0])} |")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path, nargs="?", help="a CSV of labelled pictures")
    parser.add_argument("--rendered", type=int, metavar="N", help="MNIST test digits to draw under each condition")
    parser.add_argument("--mnist", type=Path, help="the folder with MNIST's four files, for --rendered")
    parser.add_argument("--model", type=Path, default=Path("models/convnet/7"), help="default: %(default)s")
    parser.add_argument("--no-ablation", action="store_true", help="measure only with all steps")
    arguments = parser.parse_args()
    if (arguments.table is None) == (arguments.rendered is None) or bool(arguments.rendered) != bool(arguments.mnist):
        parser.error("give either a CSV, or --rendered N with --mnist FOLDER")
    cv2.setNumThreads(1)
    engine = load_engine("openvino", arguments.model)
    pictures = read_labelled(arguments.table) if arguments.table else render(arguments.mnist, arguments.rendered)
    report(pictures, *classify(pictures, preprocess_picture, engine))
    if not arguments.no_ablation:
        ablate(pictures, engine)


if __name__ == "__main__":
    main()
