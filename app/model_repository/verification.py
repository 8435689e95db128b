"""Verifies a loaded engine against its model card, which also warms it up. Knows no files and no versions.

`models/README.md` describes the self-test of a model card.
"""

import base64
import binascii
import hashlib
import zlib
from functools import partial
from math import prod

import numpy as np
from numpy.typing import NDArray

from app.errors import BrokenArtefact
from app.inference.engines import BATCH_SIZES, Engine, Images
from app.inference.finder_engine import MAP_SIDE, PICTURE_SIDE, FinderEngine
from app.inference.scores import Scores
from app.model_repository.card import AnyCard, Card, FinderCard

_PIXELS = 28 * 28
_PICTURE_SHAPE = (PICTURE_SIDE, PICTURE_SIDE, 3)
_MAP_SHAPE = (MAP_SIDE, MAP_SIDE)
_MAX_PICTURES = 16
"""In the self-test of a finder."""


def warm_up_and_verify(engine: Engine, card: Card, *, tolerance: float = 1e-3) -> None:
    """Run every batch size, so that no request pays for a first run, and check the probabilities.

    The probabilities must be the softmax of the logits at the card's temperature, equal the ones of the card's
    self-test, if it has one, and be the same in batches of all sizes.

    Args:
        engine: the engine.
        card: its model card.
        tolerance: the largest accepted difference between two probabilities.

    Raises:
        BrokenArtefact: if a check fails; it names the check.

    """
    recorded = _recorded_images(card)
    images = np.concatenate([recorded, _synthetic_images()])
    single = Scores.concatenate([engine(images[index : index + 1]) for index in range(len(images))])
    check = partial(_check, card, tolerance)
    check("its probabilities are not those of its logits", single.probabilities, _softmax(single.logits, card))
    if card.self_test is not None:
        found = single.probabilities[: len(recorded)]
        check("its probabilities differ from those in its model.json", found, np.array(card.self_test.probabilities))
    for size in BATCH_SIZES:
        batch = np.resize(images, (size, 28, 28))
        expected = np.resize(single.probabilities, (size, 10))
        check(f"a batch of {size} differs from single images", engine(batch).probabilities, expected)


def _check(
    card: Card,
    tolerance: float,
    failure: str,
    found: NDArray[np.float32],
    expected: NDArray[np.float64 | np.float32],
) -> None:
    if found.shape == expected.shape and np.allclose(found, expected, rtol=0, atol=tolerance):
        return
    raise _failed(card, f"{failure}. Found {found[:1].tolist()}, expected {expected[:1].tolist()}")


def _failed(card: AnyCard, failure: str) -> BrokenArtefact:
    return BrokenArtefact(f"{card.name}/{card.version} has failed verification: {failure}. Publish the version again.")


def _softmax(logits: NDArray[np.float32], card: Card) -> NDArray[np.float64]:
    scaled = logits.astype(np.float64) / card.temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _synthetic_images() -> Images:
    """Return a blank image and an image of noise, which are checked in addition to the self-test."""
    noise = hashlib.shake_256().digest(_PIXELS)  # NumPy's generators would be imported for this alone
    return np.frombuffer(bytes(_PIXELS) + noise, np.uint8).reshape(2, 28, 28)


def _recorded_images(card: Card) -> Images:
    """Return the images of the card's self-test, (n, 28, 28); none if it has no self-test."""
    if card.self_test is None:
        return np.zeros((0, 28, 28), np.uint8)
    count = len(card.self_test.probabilities)
    return _decode(card, "images", card.self_test.images, shape=(28, 28), counts=range(count, count + 1))


def verify_finder(engine: FinderEngine, card: FinderCard, *, tolerance: float = 1e-3) -> None:
    """Run the pictures of the card's self-test, so that no request pays for a first run, and check the maps.

    Args:
        engine: the engine.
        card: its model card.
        tolerance: the largest accepted difference of a probability, besides the rounding of the recorded one.

    Raises:
        BrokenArtefact: if a map has not the shape that `models/README.md` describes, or differs from the recorded map.

    """
    test = card.self_test
    pictures = _decode(card, "pictures", test.pictures, shape=_PICTURE_SHAPE, counts=range(1, _MAX_PICTURES + 1))
    maps = engine(pictures)
    counts = range(len(pictures), len(pictures) + 1)
    for name, found, recorded in (("ink", maps.ink, test.ink), ("cores", maps.cores, test.cores)):
        expected = _decode(card, name, recorded, shape=_MAP_SHAPE, counts=counts).astype(np.float32) / 255
        if found.shape != expected.shape:
            raise _failed(card, f"its map '{name}' has the shape {found.shape}, expected {expected.shape}")
        difference = float(np.abs(found - expected).max())
        if not difference <= tolerance + 0.5 / 255:  # also if it is not a number
            raise _failed(card, f"its map '{name}' differs by {difference:.3f} from the one in its model.json")


def _decode(card: AnyCard, field: str, recorded: str, *, shape: tuple[int, ...], counts: range) -> NDArray[np.uint8]:
    """Decode a field of the self-test: arrays of the same shape, of which there must be one of `counts`.

    Raises:
        BrokenArtefact: if it cannot be decoded, or has another number of values.

    """
    size = prod(shape)
    try:
        values = zlib.decompressobj().decompress(base64.b64decode(recorded), counts[-1] * size + 1)
    except (zlib.error, binascii.Error) as error:
        message = f"self_test of {card.name}/{card.version} has {field} that cannot be decompressed: {error}."
        raise BrokenArtefact(message) from error
    count, rest = divmod(len(values), size)
    if rest or count not in counts:
        expected = " to ".join(f"{n * size:,}" for n in dict.fromkeys((counts[0], counts[-1])))
        message = (
            f"self_test of {card.name}/{card.version} has {len(values):,} bytes of {field} or more, expected "
            f"{expected}. Publish the version again."
        )
        raise BrokenArtefact(message)
    return np.frombuffer(values, np.uint8).reshape(-1, *shape)
