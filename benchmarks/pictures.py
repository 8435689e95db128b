"""What each step of imaging is worth: `python -m benchmarks.pictures labels.csv` prints the table.

Reads pictures of digits with the whole of imaging, then with one step left out at a time, then as most services do.
The CSV names a picture in `file` (a path beside it) and its digit in `label`; columns `kind` and `writer` are reported
by if they are there. `--rendered N` takes instead N MNIST test digits under each condition of `rendering.py`.
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
    """A picture file and what is known of it."""

    data: bytes
    digit: int
    groups: dict[str, str]


def luminance(pixels: Grey) -> Grey:
    """Grey as the eye sees it, in place of the direction of most contrast."""
    return pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)


def even_paper(small: Grey) -> Grey:
    """One paper for the whole picture, the median of its frame, in place of an estimate at every place."""
    frame = np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])
    return np.full_like(small, np.median(frame))


def otsu(contrast: Grey) -> Grey:
    """Otsu's threshold on the whole picture, in place of one from full ink, with hysteresis."""
    return cv2.threshold(contrast, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[1]


def every_piece(components: Components) -> NDArray[np.intp]:
    """All ink, in place of the main piece and what lies near it."""
    return np.arange(1, len(components.boxes))


def one_threshold(_: Grey, digit: Grey) -> Grey:
    """Keep the pieces as they were found, in place of a scan with a threshold of its own at every place."""
    return digit


def as_it_is(ink: Grey) -> Grey:
    """Nothing, in place of the step."""
    return ink


def as_it_was_drawn(digit: Grey, _: float) -> Grey:
    """Keep the strokes as wide as they are, in place of MNIST's pen."""
    return 255 * digit


STEPS: dict[str, tuple[str, Callable[..., object]]] = {
    "grey along the direction of contrast": ("imaging.preprocessing.to_grey", luminance),
    "paper estimated everywhere": ("imaging.ink._estimate_background", even_paper),
    "ink by contrast and hysteresis": ("imaging.preprocessing.find_ink", otsu),
    "rulings taken out": ("imaging.preprocessing.remove_ruled_lines", as_it_is),
    "pieces chosen": ("imaging.preprocessing.select_digit", every_piece),
    "scan with a local threshold": ("imaging.preprocessing.binarise_digit", one_threshold),
    "MNIST's pen": ("imaging.preprocessing.normalise_stroke_width", as_it_was_drawn),
}
"""Each step, and what stands in for it when it is left out."""


def resized(data: bytes) -> PreprocessedPicture:
    """Only resize, as most services do."""
    return PreprocessedPicture(
        np.asarray(cv2.resize(luminance(decode(data)), (28, 28), interpolation=cv2.INTER_AREA)), None
    )


def resized_and_inverted(data: bytes) -> PreprocessedPicture:
    """Resize, and invert what is bright."""
    image = resized(data).image
    return PreprocessedPicture(255 - image if image.mean() > 127 else image, None)


def read_labelled(table: Path) -> list[Picture]:
    """Read the pictures that the CSV names."""
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
    """Draw the first `count` MNIST test digits under every condition."""
    images = np.frombuffer(gzip.decompress((mnist / "t10k-images-idx3-ubyte.gz").read_bytes()), np.uint8, offset=16)
    labels = np.frombuffer(gzip.decompress((mnist / "t10k-labels-idx1-ubyte.gz").read_bytes()), np.uint8, offset=8)
    digits = list(zip(images.reshape(-1, 28, 28)[:count], labels[:count], strict=True))
    return [
        Picture(condition(image, rng), int(label), {"condition": name})
        for name, condition in CONDITIONS.items()
        for rng in [np.random.default_rng(0)]
        for image, label in digits
    ]


def judge(
    pictures: list[Picture], read: Callable[[bytes], PreprocessedPicture], engine: Engine
) -> tuple[list[bool], int]:
    """Return whether each picture was read right, and for how many there was a finding."""
    preprocessed = [read(picture.data) for picture in pictures]
    images = np.stack([reading.image for reading in preprocessed])
    batches = [images[start : start + LARGEST_BATCH] for start in range(0, len(images), LARGEST_BATCH)]
    answers = np.concatenate([engine(batch).probabilities.argmax(axis=1) for batch in batches])
    right = [answer == picture.digit for answer, picture in zip(answers, pictures, strict=True)]
    return right, sum(reading.finding is not None for reading in preprocessed)


def percent(right: Iterable[bool]) -> str:
    """Give a share as people read it."""
    return f"{100 * np.mean(list(right)):.1f} %"


def report(pictures: list[Picture], right: list[bool], findings: int) -> None:
    """Print what the whole of imaging makes of the pictures, by each of their groups."""
    print(f"{len(pictures)} pictures: {percent(right)} right, a finding against {findings}\n")
    for column in pictures[0].groups:
        groups = defaultdict(list)
        for picture, is_right in zip(pictures, right, strict=True):
            groups[picture.groups[column]].append(is_right)
        mean = percent(float(np.mean(group)) for group in groups.values())
        print(f"| {column} | pictures | right |\n|---|---|---|")
        for name, group in sorted(groups.items()):
            print(f"| {name} | {len(group)} | {percent(group)} |")
        print(f"| mean | | {mean} |\n")


def ablate(pictures: list[Picture], engine: Engine) -> None:
    """Print what is read right with one step left out at a time."""
    print("| left out | right |\n|---|---|")
    for step, (place, stand_in) in STEPS.items():
        with patch(place, stand_in):
            print(f"| {step} | {percent(judge(pictures, preprocess_picture, engine)[0])} |")
    for name, read in {"all: resize, invert if bright": resized_and_inverted, "all: resize": resized}.items():
        print(f"| {name} | {percent(judge(pictures, read, engine)[0])} |")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path, nargs="?", help="a CSV of labelled pictures")
    parser.add_argument("--rendered", type=int, metavar="N", help="MNIST test digits to draw under each condition")
    parser.add_argument("--mnist", type=Path, help="the folder with MNIST's four files, for --rendered")
    parser.add_argument("--model", type=Path, default=Path("models/convnet/5"), help="default: %(default)s")
    parser.add_argument("--no-ablation", action="store_true", help="only the whole of imaging")
    arguments = parser.parse_args()
    if (arguments.table is None) == (arguments.rendered is None) or bool(arguments.rendered) != bool(arguments.mnist):
        parser.error("give either a CSV, or --rendered N with --mnist FOLDER")
    cv2.setNumThreads(1)
    engine = load_engine("openvino", arguments.model)
    pictures = read_labelled(arguments.table) if arguments.table else render(arguments.mnist, arguments.rendered)
    report(pictures, *judge(pictures, preprocess_picture, engine))
    if not arguments.no_ablation:
        ablate(pictures, engine)


if __name__ == "__main__":
    main()
