"""Finds or downloads the four files of MNIST, verifies them and splits the images into three parts."""

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pooch

from training.data.examples import Examples
from training.errors import DataError, FolderError
from training.folders import ensure_writable_folder

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
"""The digests of the original files, which are compressed."""
CONTENT_SHA256 = {
    TRAIN_IMAGES: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    TRAIN_LABELS: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    TEST_IMAGES: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    TEST_LABELS: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
"""The digests of what the files contain, which is the same if they were unpacked, or packed by another program."""
MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
)
VALIDATION_SIZE = 5_000
GZIP_MAGIC = b"\x1f\x8b"
"""The first bytes of each file that gzip has compressed."""

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

    The files in a folder may be compressed or not.

    Raises DataError if a file is missing, truncated or altered, if the cache cannot be written to, or if every mirror
    fails.
    """
    paths = {name: find_file(folder, name) if folder else fetch_file(name) for name in SHA256}
    arrays = {name: decode_idx(read_file(path, CONTENT_SHA256[name])) for name, path in paths.items()}
    training = Examples(arrays[TRAIN_IMAGES], arrays[TRAIN_LABELS].astype(np.int32))
    test = Examples(arrays[TEST_IMAGES], arrays[TEST_LABELS].astype(np.int32))
    return Mnist(train=training[VALIDATION_SIZE:], validation=training[:VALIDATION_SIZE], test=test)


def find_file(folder: Path, name: str) -> Path:
    """Return the path of an MNIST file in a folder, by its name or that of the unpacked file.

    Raises DataError if it is missing.
    """
    unpacked = name.removesuffix(".gz")
    paths = [folder / each for each in (name, unpacked, unpacked.replace("-idx", ".idx"))]  # some programs write a dot
    for path in paths:
        if path.is_file():
            return path
    msg = (
        f"{paths[0]} is missing, and so is {unpacked}: expected a file whose content has the SHA-256 "
        f"{CONTENT_SHA256[name]}. Put the original file there, or unset MNIST_DIR to download it."
    )
    raise DataError(msg)


def read_file(path: Path, sha256: str) -> bytes:
    """Read a file and decompress it if it is compressed by gzip. Raises DataError if the digest of its content differs.

    The digest is that of the content because two programs, or two levels, compress the same content to other bytes.
    """
    stored = path.read_bytes()
    try:
        content = gzip.decompress(stored) if stored.startswith(GZIP_MAGIC) else stored
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        msg = f"{path} is truncated or altered ({error}). Replace it, or unset MNIST_DIR to download it."
        raise DataError(msg) from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        msg = (
            f"{path} is not the original MNIST file: expected content with SHA-256 {sha256}, found {found}. "
            "Replace it, or unset MNIST_DIR to download it."
        )
        raise DataError(msg)
    return content


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
    DataError if the cache cannot be written to, or if every mirror fails.
    """
    folder = cache or pooch.os_cache("digitserve") / "mnist"
    if not os.access(folder / name, os.R_OK):
        check_cache(folder)
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


def check_cache(folder: Path) -> None:
    """Raise DataError if the cache of downloads cannot be created or written to."""
    try:
        ensure_writable_folder(folder)
    except FolderError as error:
        msg = (
            f"{error} It is the cache for the files of MNIST. XDG_CACHE_HOME is the folder of another cache, and "
            "MNIST_DIR a folder that has the four files."
        )
        raise DataError(msg) from error


def decode_idx(content: bytes) -> npt.NDArray[np.uint8]:
    """Decode an IDX file of unsigned bytes. The format is described at http://yann.lecun.com/exdb/mnist/."""
    dimensions = content[3]  # the header: two zeros, the type (8: unsigned byte), the number of dimensions
    shape = np.frombuffer(content, dtype=">u4", count=dimensions, offset=4)
    return np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * dimensions).reshape(shape)
