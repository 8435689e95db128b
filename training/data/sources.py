"""Training data besides MNIST: feedback stores and folders of pictures.

Identical images with different labels, and copies of MNIST's test images, are removed from each source. The rest is
split into a training part and a held-out part, on which models are compared.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from imaging import PictureError, preprocess_picture
from training.data.examples import NOT_A_DIGIT, Examples, Images, LabelledImage
from training.data.feedback import is_feedback_store, load_feedback
from training.data.picture_folders import find_pictures
from training.errors import DataError

HELD_OUT_INTERVAL = 5
"""One of this many images is held out."""

DUPLICATE_SIMILARITY = 0.98
"""The cosine similarity from which two images count as duplicates.

Of the first 3,000 training images of MNIST, 7 are this similar to a test image by chance. All of them show a 1.
"""

MAX_REPETITIONS = 20
"""The most repetitions of an image in an epoch, so that the network does not memorise a few corrections."""

_FILES_IN_WARNING = 3
_CHUNK = 1_000

Kind = Literal["feedback", "pictures"]


@dataclass(frozen=True)
class Source:
    """The examples of a feedback store or of a folder of pictures."""

    name: str
    """The last part of its location. The rest may be confidential."""
    kind: Kind
    sha256: str
    """The digest over the digests and labels of its images. It changes when the images or labels change."""
    train: Examples
    held_out: Examples
    warnings: tuple[str, ...]
    """One line for each problem that concerns the user, such as a skipped file."""

    def as_json(self) -> dict[str, Any]:
        """Return the entry of the source in `model.json`."""
        counts = {"learnt": len(self.train), "held_back": len(self.held_out)}
        return {"name": self.name, "kind": self.kind, "sha256": self.sha256, **counts}


def load_sources(locations: Iterable[str], test: Images) -> list[Source]:
    """Load all sources.

    Args:
        locations: Paths, or fsspec URLs of feedback stores.
        test: The images of MNIST's test part, uint8 (n, 28, 28). Copies of them are removed from the sources.

    Raises DataError if a location is neither a feedback store nor a folder of pictures, or if its training part is
    empty.

    """
    return [load_source(location, test) for location in locations]


def load_source(location: str, test: Images) -> Source:
    """Load one source, as `load_sources` does."""
    kind: Kind = "feedback" if is_feedback_store(location) else "pictures"
    found, warnings = load_feedback(location) if kind == "feedback" else load_pictures(location)
    warnings += _missing_classes(location, found)
    distinct, contradictions = _drop_contradictions(found)
    kept, copies = _drop_test_copies(distinct, test)
    kept.sort(key=_digest)  # the same order for the same images, whatever their paths
    train = [image for image in kept if not is_held_out(image)]
    held_out = [image for image in kept if is_held_out(image)]
    if not train:
        reason = f" yet: all its images are in the held-out part, one in {HELD_OUT_INTERVAL}" if held_out else ""
        msg = f"{location} has no training images{reason}. Add images to it, or leave it out."
        raise DataError(" ".join([msg, *warnings, *contradictions, *copies]))
    return Source(
        name=location.rstrip("/").rpartition("/")[2],
        kind=kind,
        sha256=hashlib.sha256("".join(f"{_digest(each)} {each.label}\n" for each in kept).encode()).hexdigest(),
        train=_stack(train),
        held_out=_stack(held_out),
        warnings=(*warnings, *contradictions, *copies),
    )


def load_pictures(location: str) -> tuple[list[LabelledImage], list[str]]:
    """Load and preprocess the pictures of a folder. Return the images, and a warning for each skipped file.

    Raises DataError if the folder does not have a layout of `find_pictures`.
    """
    if "://" in location:
        msg = f"{location} is not a feedback store. Expected a feedback store, or a local folder of pictures."
        raise DataError(msg)
    images, warnings = [], []
    for picture in find_pictures(Path(location)):
        label = NOT_A_DIGIT if picture.label is None else picture.label
        try:
            preprocessed = preprocess_picture(picture.path.read_bytes())
        except (PictureError, OSError) as error:
            warnings.append(f"{picture.path} is skipped: {error}")
            continue
        if preprocessed.finding == "blank" and label != NOT_A_DIGIT:
            warnings.append(f"{picture.path} is skipped: its label is {label}, but the picture is blank.")
            continue
        images.append(LabelledImage(str(picture.path), preprocessed.image, label))
    return images, warnings


def is_held_out(image: LabelledImage) -> bool:
    """Return whether an image is in the held-out part. This depends on its digest, so every run has the same split."""
    return int(_digest(image)[:8], 16) % HELD_OUT_INTERVAL == 0


def add_sources(examples: Examples, sources: Sequence[Source], share: float) -> Examples:
    """Add the training parts of the sources to the examples.

    The images of the sources are repeated, at most MAX_REPETITIONS times, to make up `share` of all examples.
    """
    if not sources:
        return examples
    additional = concatenate([source.train for source in sources])
    repetitions = share / (1 - share) * len(examples) / max(1, len(additional))
    return concatenate([examples, *[additional] * int(np.clip(round(repetitions), 1, MAX_REPETITIONS))])


def concatenate(parts: Sequence[Examples]) -> Examples:
    """Concatenate examples. No parts give empty examples."""
    return reduce(add, parts, _stack([]))


def _digest(image: LabelledImage) -> str:
    return hashlib.sha256(image.image.tobytes()).hexdigest()


def _stack(images: Sequence[LabelledImage]) -> Examples:
    labels = np.array([each.label for each in images], np.int32)
    return Examples(np.array([each.image for each in images], np.uint8).reshape(-1, 28, 28), labels)


def _missing_classes(location: str, images: Sequence[LabelledImage]) -> list[str]:
    """Warn of digits without any image: that may be intended, or a folder has a wrong name."""
    missing = sorted(set(range(10)) - {each.label for each in images})
    return [f"{location} has no picture of: {', '.join(map(str, missing))}."] if images and missing else []


def _drop_contradictions(images: Iterable[LabelledImage]) -> tuple[list[LabelledImage], list[str]]:
    """Keep one of several identical images, and none if their labels differ."""
    groups = defaultdict(list)
    for each in images:
        groups[_digest(each)].append(each)
    consistent = [group for group in groups.values() if len({each.label for each in group}) == 1]
    warnings = [
        f"{' and '.join(each.origin for each in group)} are skipped: the same image with different labels."
        for group in groups.values()
        if len({each.label for each in group}) > 1
    ]
    return [group[0] for group in consistent], warnings


def _drop_test_copies(images: Sequence[LabelledImage], test: Images) -> tuple[list[LabelledImage], list[str]]:
    """Drop copies and near copies of MNIST's test images, so that the test part stays unseen."""
    duplicate = find_duplicates(_stack(images).images, test)
    copies = [each.origin for each, is_copy in zip(images, duplicate, strict=True) if is_copy]
    if not copies:
        return list(images), []
    listed = ", ".join(copies[:_FILES_IN_WARNING]) + (" ..." if len(copies) > _FILES_IN_WARNING else "")
    warning = f"{len(copies)} of {len(images)} skipped as too similar to images of MNIST's test set: {listed}"
    return [each for each, is_copy in zip(images, duplicate, strict=True) if not is_copy], [warning]


def find_duplicates(images: Images, references: Images) -> npt.NDArray[np.bool_]:
    """Find the images with a cosine similarity of DUPLICATE_SIMILARITY or more to a reference.

    Args:
        images: uint8 (n, 28, 28).
        references: uint8 (m, 28, 28).

    Returns:
        bool (n,).

    """
    directions = _unit_vectors(references).T  # [784, m]
    chunks = (images[start : start + _CHUNK] for start in range(0, len(images), _CHUNK))
    duplicate = [(_unit_vectors(chunk) @ directions).max(axis=1) >= DUPLICATE_SIMILARITY for chunk in chunks]
    return np.concatenate(duplicate) if duplicate else np.zeros(0, bool)


def _unit_vectors(images: Images) -> npt.NDArray[np.float32]:
    """Return images as vectors of length 1, float32 (n, 784). A blank image gives zeros."""
    vectors = images.reshape(-1, 784).astype(np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: npt.NDArray[np.float32] = vectors / np.maximum(lengths, 1)
    return unit
