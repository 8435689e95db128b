"""More to learn from than MNIST: feedback stores, and folders of anyone's own pictures. Knows no network.

Each source is cleaned of what contradicts itself and of what is in MNIST's test set, and split in two: what is learnt
from, and what is held back to judge by.
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
from training.data import NOT_A_DIGIT, Examples, Images, LabelledImage
from training.errors import DataError
from training.feedback import is_store, read_store
from training.pictures import find_pictures

HELD_BACK = 5
"""One image of so many is held back."""

NEAR = 0.98
"""The cosine between two images from which one counts as the other.

Of the first 3,000 images that MNIST has to learn from, 7 are as near to one of its test images by chance: all ones.
"""

MOST_REPEATS = 20
"""How often an epoch shows an image at most: a few corrections shall be heeded, but not learnt by heart."""

_NAMED = 3  # how many files a line names before it counts the rest
_CHUNK = 1_000

Kind = Literal["feedback", "pictures"]


@dataclass(frozen=True)
class Source:
    """What a feedback store or a folder of pictures has to offer."""

    name: str
    """The last part of its address: the rest may be nobody else's business."""
    kind: Kind
    sha256: str
    """Over the digests and labels of its images: another one means that there is something new."""
    learn: Examples
    held_back: Examples
    remarks: tuple[str, ...]
    """A line on each thing that a person should know, such as a file that was passed over."""

    def as_json(self) -> dict[str, Any]:
        """Give what the card says of it."""
        counts = {"learnt": len(self.learn), "held_back": len(self.held_back)}
        return {"name": self.name, "kind": self.kind, "sha256": self.sha256, **counts}


def load_sources(addresses: Iterable[str], test: Images) -> list[Source]:
    """Read all sources; `test` are the images of MNIST's test part, uint8 (n, 28, 28), none of which may be learnt.

    Raises DataError if an address is neither a feedback store nor a folder of pictures, or has nothing to learn from:
    no image at all, or none that is not held back.
    """
    return [load_source(address, test) for address in addresses]


def load_source(address: str, test: Images) -> Source:
    """Read one source; see `load_sources`."""
    kind: Kind = "feedback" if is_store(address) else "pictures"
    found, remarks = read_store(address) if kind == "feedback" else read_pictures(address)
    remarks += _missing_classes(address, found)
    distinct, contradictions = _drop_contradictions(found)
    kept, copies = _drop_copies(distinct, test)
    kept.sort(key=_digest)  # the same examples in the same order, wherever the files lie
    learn = [image for image in kept if not is_held_back(image)]
    held_back = [image for image in kept if is_held_back(image)]
    if not learn:
        why = f" yet: all that it has is held back to judge by, as one image in {HELD_BACK} is" if held_back else ""
        msg = f"{address} has nothing to learn from{why}. Add images to it, or leave it out."
        raise DataError(" ".join([msg, *remarks, *contradictions, *copies]))
    return Source(
        name=address.rstrip("/").rpartition("/")[2],
        kind=kind,
        sha256=hashlib.sha256("".join(f"{_digest(each)} {each.label}\n" for each in kept).encode()).hexdigest(),
        learn=_stack(learn),
        held_back=_stack(held_back),
        remarks=(*remarks, *contradictions, *copies),
    )


def read_pictures(address: str) -> tuple[list[LabelledImage], list[str]]:
    """Read a folder of pictures as the service would; gives the images, and a line on each file that is passed over.

    Raises DataError if the folder is not laid out as `training.pictures.find_pictures` expects it.
    """
    if "://" in address:
        msg = f"{address} is no feedback store. Name one, or copy the pictures into a folder of this machine."
        raise DataError(msg)
    images, remarks = [], []
    for picture in find_pictures(Path(address)):
        label = NOT_A_DIGIT if picture.label is None else picture.label
        try:
            reading = preprocess_picture(picture.path.read_bytes())
        except (PictureError, OSError) as error:
            remarks.append(f"{picture.path} is passed over: {error}")
            continue
        if reading.finding == "blank" and label != NOT_A_DIGIT:
            remarks.append(f"{picture.path} is passed over: it is labelled {label}, but no ink was found on it.")
            continue
        images.append(LabelledImage(str(picture.path), reading.image, label))
    return images, remarks


def is_held_back(image: LabelledImage) -> bool:
    """Tell to which side of the split an image belongs: by its digest, so to the same one in every run."""
    return int(_digest(image)[:8], 16) % HELD_BACK == 0


def mix(examples: Examples, sources: Sequence[Source], share: float) -> Examples:
    """Add to the examples what the sources have to be learnt from, repeated until it makes up a share of them all.

    Each image is there once at least and MOST_REPEATS times at most.
    """
    if not sources:
        return examples
    more = join([source.learn for source in sources])
    wanted = share / (1 - share) * len(examples) / max(1, len(more))
    return join([examples, *[more] * int(np.clip(round(wanted), 1, MOST_REPEATS))])


def join(parts: Sequence[Examples]) -> Examples:
    """Put examples one after the other; of no parts, there is nothing."""
    return reduce(add, parts, _stack([]))


def _digest(image: LabelledImage) -> str:
    return hashlib.sha256(image.image.tobytes()).hexdigest()


def _stack(images: Sequence[LabelledImage]) -> Examples:
    labels = np.array([each.label for each in images], np.int32)
    return Examples(np.array([each.image for each in images], np.uint8).reshape(-1, 28, 28), labels)


def _missing_classes(address: str, images: Sequence[LabelledImage]) -> list[str]:
    """Say which digits there are none of: that may be meant, or a folder with a wrong name."""
    missing = sorted(set(range(10)) - {each.label for each in images})
    return [f"{address} has no picture of: {', '.join(map(str, missing))}."] if images and missing else []


def _drop_contradictions(images: Iterable[LabelledImage]) -> tuple[list[LabelledImage], list[str]]:
    """Keep one of what is there several times, and none of what is there with different labels."""
    alike = defaultdict(list)
    for each in images:
        alike[_digest(each)].append(each)
    agreeing = [group for group in alike.values() if len({each.label for each in group}) == 1]
    remarks = [
        f"{' and '.join(each.place for each in group)} are passed over: the same image with different labels."
        for group in alike.values()
        if len({each.label for each in group}) > 1
    ]
    return [group[0] for group in agreeing], remarks


def _drop_copies(images: Sequence[LabelledImage], test: Images) -> tuple[list[LabelledImage], list[str]]:
    """Refuse what is in MNIST's test set, or nearly so: who learns the answers by heart is not judged by them."""
    near = find_near(_stack(images).images, test)
    copies = [each.place for each, is_near in zip(images, near, strict=True) if is_near]
    if not copies:
        return list(images), []
    named = ", ".join(copies[:_NAMED]) + (" ..." if len(copies) > _NAMED else "")
    remark = f"{len(copies)} of {len(images)} passed over as too near to images of MNIST's test set: {named}"
    return [each for each, is_near in zip(images, near, strict=True) if not is_near], [remark]


def find_near(images: Images, references: Images) -> npt.NDArray[np.bool_]:
    """Tell which of the images, uint8 (n, 28, 28), have a cosine of NEAR or more with a reference, (m, 28, 28)."""
    directions = _directions(references).T  # [784, m]
    chunks = (images[start : start + _CHUNK] for start in range(0, len(images), _CHUNK))
    near = [(_directions(chunk) @ directions).max(axis=1) >= NEAR for chunk in chunks]
    return np.concatenate(near) if near else np.zeros(0, bool)


def _directions(images: Images) -> npt.NDArray[np.float32]:
    """Give images as vectors of length 1, float32 (n, 784); a blank one stays 0."""
    vectors = images.reshape(-1, 784).astype(np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    directions: npt.NDArray[np.float32] = vectors / np.maximum(lengths, 1)
    return directions
