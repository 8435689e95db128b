import math
from collections.abc import Sequence

import numpy as np
import pytest

from app.inference.scores import Classification, Scores
from app.model_repository.card import Abstention
from app.model_repository.versions import ServedVersion
from app.observability.metrics import ServiceMetrics
from app.prediction.predictor import Predictor, abstention_reason
from imaging import PreprocessedPicture


def classification(confidence: float, best: float) -> Classification:
    """Make what is said of an image, of a confidence and of a best logit where the other nine are 0."""
    probabilities = np.array([[confidence] + [(1 - confidence) / 9] * 9], np.float32)
    return Scores(probabilities, np.array([[best] + [0.0] * 9], np.float32)).classifications[0]


@pytest.mark.parametrize(
    ("confidence", "best", "reason"),
    [
        (0.9, 20, None),
        (0.5, 20, None),
        (0.49, 20, "unsure"),
        (0.9, 5, "not_a_digit"),
        (0.1, 5, "not_a_digit"),
    ],
)
def test_thresholds(confidence: float, best: float, reason: str | None) -> None:
    assert abstention_reason(Abstention(confidence=0.5, energy=-10), classification(confidence, best)) == reason


def test_the_energy_is_minus_the_log_of_the_sum_of_exponentials() -> None:
    energy = -math.log(math.exp(3) + 9)
    assert abstention_reason(Abstention(confidence=0, energy=energy + 1e-4), classification(1, 3)) is None
    assert abstention_reason(Abstention(confidence=0, energy=energy - 1e-4), classification(1, 3)) == "not_a_digit"


def test_a_model_without_an_energy_threshold_is_judged_by_confidence_alone() -> None:
    assert abstention_reason(Abstention(confidence=0.5, energy=None), classification(0.9, -100)) is None


class Stumbling:
    """A reader with a bug."""

    async def read_several(self, pictures: Sequence[bytes]) -> list[PreprocessedPicture | Exception]:
        return [ZeroDivisionError() for _ in pictures]


class Empty:
    """A repository whose versions nobody looks into."""

    def find(self, model: str, version: int | None) -> ServedVersion:
        return ServedVersion(None, None)  # type: ignore[arg-type]


@pytest.mark.anyio
async def test_a_bug_is_not_told_as_the_fault_of_a_picture(metrics: ServiceMetrics) -> None:
    predictor = Predictor(Empty(), Stumbling(), metrics, deadline_seconds=10)  # type: ignore[arg-type]
    with pytest.raises(ZeroDivisionError):
        await predictor.predict_several([b"1", b"2"], "convnet", None, seen=False)
