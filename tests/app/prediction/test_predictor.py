import math
from collections.abc import Sequence

import numpy as np
import pytest

from app.inference.scores import Classification, Scores
from app.model_repository.card import Abstention
from app.model_repository.versions import LoadedVersion
from app.observability.metrics import ServiceMetrics
from app.prediction.predictor import Predictor, abstention_reason
from imaging import PreprocessedPicture


def classification(confidence: float, best: float) -> Classification:
    """Make a classification with this confidence; the highest logit is `best`, the other nine are 0."""
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
def test_the_thresholds_of_energy_and_confidence_give_the_reason(
    confidence: float, best: float, reason: str | None
) -> None:
    assert abstention_reason(Abstention(confidence=0.5, energy=-10), classification(confidence, best)) == reason


def test_the_energy_is_minus_the_log_of_the_sum_of_exponentials() -> None:
    energy = -math.log(math.exp(3) + 9)
    assert abstention_reason(Abstention(confidence=0, energy=energy + 1e-4), classification(1, 3)) is None
    assert abstention_reason(Abstention(confidence=0, energy=energy - 1e-4), classification(1, 3)) == "not_a_digit"


def test_without_an_energy_threshold_only_the_confidence_counts() -> None:
    assert abstention_reason(Abstention(confidence=0.5, energy=None), classification(0.9, -100)) is None


class BrokenPreprocessor:
    """A preprocessor with a bug."""

    async def preprocess_several(self, pictures: Sequence[bytes]) -> list[PreprocessedPicture | Exception]:
        return [ZeroDivisionError() for _ in pictures]


class StubCatalogue:
    """A catalogue that finds every version."""

    def find(self, model: str, version: int | None) -> LoadedVersion:
        return LoadedVersion(None, None)  # type: ignore[arg-type]


@pytest.mark.anyio
async def test_a_bug_in_preprocessing_is_raised_and_not_reported_as_an_error_of_the_picture(
    metrics: ServiceMetrics,
) -> None:
    predictor = Predictor(StubCatalogue(), BrokenPreprocessor(), metrics, deadline_seconds=10)  # type: ignore[arg-type]
    with pytest.raises(ZeroDivisionError):
        await predictor.predict_several([b"1", b"2"], "convnet", None, seen=False)
