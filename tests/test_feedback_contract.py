"""The feedback store is an interface: training loads what the service stores, in a folder and in S3."""

from collections.abc import Iterator
from pathlib import Path

import fsspec
import numpy as np
import pytest

from app.feedback.store import FeedbackStore
from tests.s3 import s3_server
from training.data.examples import NOT_A_DIGIT
from training.data.feedback import is_feedback_store, load_feedback
from training.data.sources import load_source
from training.data.synthetic_examples import generate_digits

pytestmark = pytest.mark.anyio

IMAGES = generate_digits(30, np.random.default_rng(0)).images


@pytest.fixture(params=["folder", "memory", pytest.param("s3", marks=pytest.mark.slow)])
def address(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    if request.param == "s3":
        with s3_server(monkeypatch, "corrections") as (_, bucket):
            yield f"{bucket}/mine"
    elif request.param == "folder":
        yield str(tmp_path / "mine")
    else:
        yield "memory://corrections/mine"
        fsspec.filesystem("memory").rm("/corrections", recursive=True)


async def test_training_loads_what_the_service_stores(address: str) -> None:
    async with FeedbackStore(address, limit=100, deadline_seconds=10) as store:
        for place, image in enumerate(IMAGES):
            assert await store.add(image, str(place % 10))
        assert not await store.add(IMAGES[3], "3")
        assert await store.add(IMAGES[4], "not_a_digit")
    assert is_feedback_store(address)
    images, warnings = load_feedback(address)
    assert warnings == []
    expected = {image.tobytes(): place % 10 for place, image in enumerate(IMAGES)} | {IMAGES[4].tobytes(): NOT_A_DIGIT}
    assert {each.image.tobytes(): each.label for each in images} == expected
    source = load_source(address, np.zeros((1, 28, 28), np.uint8))
    assert (source.name, source.kind) == ("mine", "feedback")
    assert len(source.train) + len(source.held_out) == len(images) == 30
