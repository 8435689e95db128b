"""Measure the service on the digits of scikit-learn, 8x8 pixels each: `python -m benchmarks.small_digits`.

They are 32x32 scans of 43 writers, reduced to 8x8 (Alpaydin and Kaynak 1998, doi:10.24432/C50P49). Each is sent as a
PNG of 8x8 pixels, and enlarged twenty times without smoothing: light on dark, and dark on light. Needs scikit-learn,
which is not among the requirements of the project.
"""

import argparse
import sys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.scenes.service import Answer, running_service
from imaging import encode_png

ENLARGEMENT = 20
FULL_INK = 16
"""The largest value of a pixel in the data set."""


def draw_forms(images: NDArray[np.uint8]) -> dict[str, list[bytes]]:
    """Return PNG files of images, uint8 (n, 8, 8), ink 0 to 16, by the name of their form."""
    ink = np.rint(images * (255 / FULL_INK)).astype(np.uint8)
    return {
        f"{colours}, {size}": [
            encode_png(picture.repeat(factor, axis=0).repeat(factor, axis=1)) for picture in pictures
        ]
        for colours, pictures in (("light on dark", ink), ("dark on light", 255 - ink))
        for size, factor in (("8x8", 1), ("enlarged", ENLARGEMENT))
    }


def format_row(form: str, answers: Sequence[Answer], labels: Sequence[int]) -> str:
    """Return a row of the table: the shares that are right, wrong and trusted, and abstained."""
    right = np.array([answer.digit == label for answer, label in zip(answers, labels, strict=True)])
    trusted = np.array([answer.reason is None for answer in answers])
    shares = right.mean(), (~right & trusted).mean(), (~trusted).mean()
    return f"| {form} | " + " | ".join(f"{share:.1%}" for share in shares) + " |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=600, help="the first digits of the data set; default: %(default)s")
    parser.add_argument("--model", default="convnet", help="default: %(default)s")
    arguments = parser.parse_args()
    try:
        from sklearn.datasets import load_digits  # noqa: PLC0415 (not among the requirements)
    except ImportError:
        sys.exit("The digits are those of scikit-learn, which is not installed. Run: pip install scikit-learn")
    images, labels = (values[: arguments.count] for values in (load_digits().images, load_digits().target))
    print("| 8x8 digits | right | wrong and trusted | abstained |\n|---|---:|---:|---:|")
    with running_service(arguments.model) as service:
        for form, pictures in draw_forms(images).items():
            print(format_row(form, service.predict(pictures), labels.tolist()), flush=True)


if __name__ == "__main__":
    main()
