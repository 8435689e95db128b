"""Finds or downloads the four files of MNIST, verifies them and splits the images into three parts."""

import gzip
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pooch

from training.data.examples import Examples
from training.errors import DataError

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

MISLABELLED_TEST_IMAGES = (947, 1621, 1901, 2130, 2462, 2597, 2654, 3520, 3558, 5937, 6651, 6783, 8527, 9679, 9729)
"""The indices, from 0, of the test images whose label is known to be wrong. The labels are left unchanged.

A perfect classifier is counted wrong on these images. In Northcutt et al. 2021, arXiv:2103.14749, reviewers agreed on
the same number of wrong labels.
"""


@dataclass(frozen=True)
class Mnist:
    """The three parts: 55,000 training, 5,000 validation and 10,000 test images."""

    train: Examples
    validation: Examples
    test: Examples

    def part(self, name: Part) -> Examples:
        """Return the part with this name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}[name]

    def as_json(self) -> dict[str, Any]:
        """Return the description of the data set for `model.json`."""
        split = {"train": len(self.train), "validation": len(self.validation), "test": len(self.test)}
        return {"name": "MNIST", "files": SHA256, "split": split}


def load_mnist(folder: Path | None = None) -> Mnist:
    """Load MNIST from a folder with its four files, or download it into a cache if no folder is given.

    Raises DataError if a file is missing, truncated or altered, or if every mirror fails.
    """
    paths = {name: find_file(folder, name) if folder else fetch_file(name) for name in SHA256}
    training = Examples(read_idx(paths[TRAIN_IMAGES]), read_idx(paths[TRAIN_LABELS]).astype(np.int32))
    test = Examples(read_idx(paths[TEST_IMAGES]), read_idx(paths[TEST_LABELS]).astype(np.int32))
    return Mnist(train=training[VALIDATION_SIZE:], validation=training[:VALIDATION_SIZE], test=test)


def find_file(folder: Path, name: str) -> Path:
    """Return the path of an MNIST file in a folder. Raises DataError if it is missing or altered."""
    path = folder / name
    expected = SHA256[name]
    if not path.is_file():
        msg = (
            f"{path} is missing: expected a file with SHA-256 {expected}. Put the original file there, "
            "or unset MNIST_DIR to download it."
        )
        raise DataError(msg)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != expected:
        msg = (
            f"{path} is not the original MNIST file: expected SHA-256 {expected}, found {found}. Replace it, "
            "or unset MNIST_DIR to download it."
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
    """Return the path of an MNIST file in the cache. Download it first if it is not there.

    The mirrors are tried in order. A download enters the cache only once it is complete and its digest matches. Raises
    DataError if every mirror fails.
    """
    folder = cache or pooch.os_cache("digitserve") / "mnist"
    failures = []
    for mirror in mirrors:
        store = pooch.create(folder, mirror, registry={name: sha256 or SHA256[name]}, retry_if_failed=retries)
        try:
            return Path(store.fetch(name, downloader=pooch.HTTPDownloader(progressbar=True)))
        except (OSError, ValueError) as error:  # OSError: the connection or HTTP. ValueError: the digest.
            failures.append(f"{mirror}: {error}")
    msg = (
        f"{name} could not be downloaded. Check the connection, or put the four MNIST files into a folder and set "
        "MNIST_DIR to it. The error of each mirror:\n" + "\n".join(failures)
    )
    raise DataError(msg)


def read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """Read a gzipped IDX file of unsigned bytes. The format is described at http://yann.lecun.com/exdb/mnist/."""
    content = gzip.decompress(path.read_bytes())
    dimensions = content[3]  # the header: two zeros, the type (8: unsigned byte), the number of dimensions
    shape = np.frombuffer(content, dtype=">u4", count=dimensions, offset=4)
    return np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * dimensions).reshape(shape)
