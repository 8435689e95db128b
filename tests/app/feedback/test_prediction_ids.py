import base64

import numpy as np
import pytest

from app.errors import UnknownPrediction
from app.feedback.prediction_ids import PredictionIds

IMAGE = np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)


class Clock:
    def __init__(self) -> None:
        self.seconds = 1_000_000_000.5

    def __call__(self) -> float:
        return self.seconds


@pytest.mark.parametrize(
    "image", [IMAGE, np.zeros((28, 28), np.uint8), IMAGE // 200 * 255, np.full((28, 28), 255, np.uint8)]
)
def test_any_worker_with_the_key_decodes_the_image(image: np.ndarray) -> None:
    prediction_id = PredictionIds("key", seconds=10).issue(image)
    np.testing.assert_array_equal(PredictionIds("key", seconds=10).image_of(prediction_id), image)
    assert len(prediction_id) <= 1_203
    assert prediction_id.replace("-", "").replace("_", "").isalnum()


def test_an_id_with_another_key_is_unknown() -> None:
    with pytest.raises(UnknownPrediction, match="No prediction has that"):
        PredictionIds("key", seconds=10).image_of(PredictionIds("other", seconds=10).issue(IMAGE))


def test_an_id_expires() -> None:
    clock = Clock()
    prediction_ids = PredictionIds("key", seconds=10, clock=clock)
    prediction_id = prediction_ids.issue(IMAGE)
    clock.seconds += 9
    prediction_ids.image_of(prediction_id)
    clock.seconds += 2
    with pytest.raises(UnknownPrediction, match="for 10 seconds"):
        prediction_ids.image_of(prediction_id)


@pytest.mark.parametrize("prediction_id", ["", "x", "AAAA", "é", "A" * 2000, "!!!!", "\x00"])
def test_an_invalid_id_is_unknown(prediction_id: str) -> None:
    with pytest.raises(UnknownPrediction):
        PredictionIds("key", seconds=10).image_of(prediction_id)


def test_an_id_with_any_bit_changed_is_unknown() -> None:
    prediction_ids = PredictionIds("key", seconds=10)
    prediction_id = prediction_ids.issue(np.zeros((28, 28), np.uint8))
    data = base64.urlsafe_b64decode(prediction_id + "=" * (-len(prediction_id) % 4))
    for bit in range(8 * len(data)):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(UnknownPrediction):
            prediction_ids.image_of(base64.urlsafe_b64encode(changed).decode())
