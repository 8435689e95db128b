from collections.abc import Sequence

import pytest

from app.model_repository.versions import LoadedVersion
from app.observability.metrics import ServiceMetrics
from app.prediction.predictor import Predictor
from imaging import PreprocessedPicture


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
    predictor = Predictor(StubCatalogue(), BrokenPreprocessor(), None, metrics, deadline_seconds=10)  # type: ignore[arg-type]
    with pytest.raises(ZeroDivisionError):
        await predictor.predict_several([b"1", b"2"], "convnet", None, seen=False)
