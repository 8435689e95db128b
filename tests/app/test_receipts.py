import base64

import numpy as np
import pytest

from app.errors import UnknownPrediction
from app.receipts import Receipts

IMAGE = np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)


class Clock:
    def __init__(self) -> None:
        self.seconds = 1_000_000_000.5

    def __call__(self) -> float:
        return self.seconds


@pytest.mark.parametrize(
    "image", [IMAGE, np.zeros((28, 28), np.uint8), IMAGE // 200 * 255, np.full((28, 28), 255, np.uint8)]
)
def test_what_the_model_saw_comes_back_from_any_worker_with_the_key(image: np.ndarray) -> None:
    prediction_id = Receipts("key", seconds=10).issue(image)
    np.testing.assert_array_equal(Receipts("key", seconds=10).redeem(prediction_id), image)
    assert len(prediction_id) <= 1_203
    assert prediction_id.replace("-", "").replace("_", "").isalnum()


def test_an_id_of_another_key_is_unknown() -> None:
    with pytest.raises(UnknownPrediction, match="No prediction has that"):
        Receipts("key", seconds=10).redeem(Receipts("other", seconds=10).issue(IMAGE))


def test_an_id_lasts_for_its_time() -> None:
    clock = Clock()
    receipts = Receipts("key", seconds=10, clock=clock)
    prediction_id = receipts.issue(IMAGE)
    clock.seconds += 9
    receipts.redeem(prediction_id)
    clock.seconds += 2
    with pytest.raises(UnknownPrediction, match="for 10 seconds"):
        receipts.redeem(prediction_id)


@pytest.mark.parametrize("prediction_id", ["", "x", "AAAA", "é", "A" * 2000, "!!!!", "\x00"])
def test_what_is_no_id_is_unknown(prediction_id: str) -> None:
    with pytest.raises(UnknownPrediction):
        Receipts("key", seconds=10).redeem(prediction_id)


def test_an_id_with_any_bit_changed_is_unknown() -> None:
    receipts = Receipts("key", seconds=10)
    prediction_id = receipts.issue(np.zeros((28, 28), np.uint8))
    data = base64.urlsafe_b64decode(prediction_id + "=" * (-len(prediction_id) % 4))
    for bit in range(8 * len(data)):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(UnknownPrediction):
            receipts.redeem(base64.urlsafe_b64encode(changed).decode())
