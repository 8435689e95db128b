"""Verifies a loaded engine against its model card, which also warms it up. Knows no files and no versions.

`models/README.md` describes the self-test of a model card.
"""

import base64
import binascii
import hashlib
import zlib
from functools import partial

import numpy as np
from numpy.typing import NDArray

from app.errors import BrokenArtefact
from app.inference.engines import BATCH_SIZES, Engine, Images
from app.inference.scores import Scores
from app.model_repository.card import Card

_PIXELS = 28 * 28


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
    message = (
        f"{card.name}/{card.version} has failed verification: {failure}. Found {found[:1].tolist()}, "
        f"expected {expected[:1].tolist()}. Publish the version again."
    )
    raise BrokenArtefact(message)


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
    expected = _PIXELS * len(card.self_test.probabilities)
    try:
        pixels = zlib.decompressobj().decompress(base64.b64decode(card.self_test.images), expected + 1)
    except (zlib.error, binascii.Error) as error:
        message = f"The images of {card.name}/{card.version} in self_test cannot be decompressed: {error}."
        raise BrokenArtefact(message) from error
    if len(pixels) != expected:
        message = f"self_test of {card.name}/{card.version} has {len(pixels)} pixels or more, expected {expected}."
        raise BrokenArtefact(message)
    return np.frombuffer(pixels, np.uint8).reshape(-1, 28, 28)
