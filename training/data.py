"""MNIST: finds or fetches its four files, checks them, splits them in three. Knows nothing of what learns from it."""

import gzip
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pooch

from training.errors import DataError

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int32]
Part = Literal["train", "validation", "test"]

TRAIN_IMAGES = "train-images-idx3-ubyte.gz"
TRAIN_LABELS = "train-labels-idx1-ubyte.gz"
TEST_IMAGES = "t10k-images-idx3-ubyte.gz"
TEST_LABELS = "t10k-labels-idx1-ubyte.gz"

SHA256 = {
    TRAIN_IMAGES: "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    TRAIN_LABELS: "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    TEST_IMAGES: "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    TEST_LABELS: "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
)
VALIDATION_SIZE = 5_000

WRONG_TEST_LABELS = (947, 1621, 1901, 2130, 2462, 2597, 2654, 3520, 3558, 5937, 6651, 6783, 8527, 9679, 9729)
"""The test images, counted from 0, whose label is known to be wrong; it is left as it is. A perfect reader misses them.

As many as people agreed on in Northcutt et al. 2021, arXiv:2103.14749.
"""

NOT_A_DIGIT = -1
"""The label of an image that shows no digit. MNIST has none of these."""


@dataclass(frozen=True)
class Examples:
    """Images with their labels: uint8 (n, 28, 28), white ink (255) on black (0), and int32 (n,), 0 to 9.

    A label may also be NOT_A_DIGIT.
    """

    images: Images
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def targets(self) -> npt.NDArray[np.float32]:
        """What to answer to each image: float32 (n, 10), 1 at the digit and 0 elsewhere.

        Where there is no digit, none should seem likelier than another, so each has 0.1: outlier exposure
        (Hendrycks et al. 2019, arXiv:1812.04606).
        """
        one_hot = np.eye(10, dtype=np.float32)[self.labels]
        one_hot[self.labels == NOT_A_DIGIT] = 0.1
        return one_hot

    def __getitem__(self, part: slice) -> "Examples":
        return Examples(self.images[part], self.labels[part])

    def __add__(self, other: "Examples") -> "Examples":
        return Examples(np.concatenate([self.images, other.images]), np.concatenate([self.labels, other.labels]))


class LabelledImage(NamedTuple):
    """One image, what it shows and where it came from."""

    place: str
    """For people: the file's path or address."""
    image: Images  # [28, 28]
    label: int


@dataclass(frozen=True)
class Mnist:
    """The three parts: 55,000 to learn from, 5,000 to choose by, 10,000 to be judged by."""

    train: Examples
    validation: Examples
    test: Examples

    def part(self, name: Part) -> Examples:
        """Give the part of that name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}[name]


def load_mnist(folder: Path | None = None) -> Mnist:
    """Read MNIST from a folder that holds its four files, or, without one, from the download cache.

    Raises DataError if a file is missing, truncated or altered, or can be fetched from no mirror.
    """
    paths = {name: find_file(folder, name) if folder else fetch_file(name) for name in SHA256}
    learning = Examples(read_idx(paths[TRAIN_IMAGES]), read_idx(paths[TRAIN_LABELS]).astype(np.int32))
    test = Examples(read_idx(paths[TEST_IMAGES]), read_idx(paths[TEST_LABELS]).astype(np.int32))
    return Mnist(train=learning[VALIDATION_SIZE:], validation=learning[:VALIDATION_SIZE], test=test)


def find_file(folder: Path, name: str) -> Path:
    """Give the path of an MNIST file in a folder, or raise DataError if it is missing or not the original."""
    path = folder / name
    expected = SHA256[name]
    if not path.is_file():
        msg = (
            f"{path} is missing: expected a file with SHA-256 {expected}. Put the original there, "
            "or leave the folder (MNIST_DIR) unset to have it downloaded."
        )
        raise DataError(msg)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != expected:
        msg = (
            f"{path} is not the original MNIST file: expected SHA-256 {expected}, found {found}. Replace it, "
            "or leave the folder (MNIST_DIR) unset to have it downloaded."
        )
        raise DataError(msg)
    return path


def fetch_file(
    name: str,
    cache: Path | None = None,
    mirrors: Iterable[str] = MIRRORS,
    *,
    sha256: str | None = None,
    retries: int = 2,
) -> Path:
    """Give the path of an MNIST file in the cache, downloading it there from the first mirror that has the original.

    A download becomes a file of the cache only once it is whole and its digest is right. Raises DataError if that
    fails with every mirror.
    """
    folder = cache or pooch.os_cache("digitserve") / "mnist"
    failures = []
    for mirror in mirrors:
        store = pooch.create(folder, mirror, registry={name: sha256 or SHA256[name]}, retry_if_failed=retries)
        try:
            return Path(store.fetch(name, downloader=pooch.HTTPDownloader(progressbar=True)))
        except (OSError, ValueError) as error:  # no connection or an HTTP error; a digest that does not match
            failures.append(f"{mirror}: {error}")
    msg = (
        f"{name} could not be downloaded. Check the connection, or put the four MNIST files into a folder and name it "
        "in MNIST_DIR. What each mirror said:\n" + "\n".join(failures)
    )
    raise DataError(msg)


def read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """Read a gzipped IDX file of bytes: the format on the page of MNIST, http://yann.lecun.com/exdb/mnist/."""
    content = gzip.decompress(path.read_bytes())
    dimensions = content[3]  # two zeros, the type (8: unsigned byte), the number of dimensions
    shape = np.frombuffer(content, dtype=">u4", count=dimensions, offset=4)
    return np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * dimensions).reshape(shape)
