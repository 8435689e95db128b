"""Tries a loaded version before it may answer: does it do here what it did where it was taught? Knows no service."""

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


def warm_up(engine: Engine, card: Card, *, tolerance: float = 1e-3) -> None:
    """Run every batch size, so that no request pays for the first time, and judge the answers.

    They must be the ones that the card has recorded, if it has; the probabilities must be those of the logits at the
    card's temperature; and an image must be answered alike in a batch of any size. Probabilities are alike that are
    not further apart than the tolerance.

    Raises:
        BrokenArtefact: if it does not pass, saying at what.

    """
    recorded = _recorded_images(card)
    images = np.concatenate([recorded, _made_up_images()])
    alone = Scores.concatenate([engine(images[place : place + 1]) for place in range(len(images))])
    check = partial(_check, card, tolerance)
    check("its probabilities are not those of its logits", alone.probabilities, _softmax(alone.logits, card))
    if card.self_test is not None:
        found = alone.probabilities[: len(recorded)]
        check("it does not answer as its model.json recorded", found, np.array(card.self_test.probabilities))
    for size in BATCH_SIZES:
        batch = np.resize(images, (size, 28, 28))
        expected = np.resize(alone.probabilities, (size, 10))
        check(f"a batch of {size} is not answered as single images", engine(batch).probabilities, expected)


def _check(
    card: Card,
    tolerance: float,
    complaint: str,
    found: NDArray[np.float32],
    expected: NDArray[np.float64 | np.float32],
) -> None:
    if found.shape == expected.shape and np.allclose(found, expected, rtol=0, atol=tolerance):
        return
    message = (
        f"{card.name}/{card.version} has failed its self-test: {complaint}. Found {found[:1].tolist()}, "
        f"expected {expected[:1].tolist()}. Publish the version again."
    )
    raise BrokenArtefact(message)


def _softmax(logits: NDArray[np.float32], card: Card) -> NDArray[np.float64]:
    cooled = logits.astype(np.float64) / card.temperature
    powers = np.exp(cooled - cooled.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _made_up_images() -> Images:
    """Make a blank image and one of noise: what a version without recorded answers is tried on."""
    noise = hashlib.shake_256().digest(_PIXELS)  # NumPy's generators would be loaded for this alone
    return np.frombuffer(bytes(_PIXELS) + noise, np.uint8).reshape(2, 28, 28)


def _recorded_images(card: Card) -> Images:
    if card.self_test is None:
        return np.zeros((0, 28, 28), np.uint8)
    expected = _PIXELS * len(card.self_test.probabilities)
    try:
        pixels = zlib.decompressobj().decompress(base64.b64decode(card.self_test.images), expected + 1)
    except (zlib.error, binascii.Error) as error:
        message = f"The images of {card.name}/{card.version} in self_test cannot be unpacked: {error}."
        raise BrokenArtefact(message) from error
    if len(pixels) != expected:
        message = f"self_test of {card.name}/{card.version} has {len(pixels)} pixels or more, expected {expected}."
        raise BrokenArtefact(message)
    return np.frombuffer(pixels, np.uint8).reshape(-1, 28, 28)
