"""The feedback store is an interface: training loads what the service stores, in a folder and in S3."""

from collections.abc import Iterator
from pathlib import Path

import fsspec
import numpy as np
import pytest

from app.feedback.store import FeedbackStore
from training.data.examples import NOT_A_DIGIT
from training.data.feedback import is_feedback_store, load_feedback
from training.data.sources import load_source
from training.data.synthetic_examples import generate_digits

pytestmark = pytest.mark.anyio

IMAGES = generate_digits(30, np.random.default_rng(0)).images


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run a server with the API of S3, and yield the address of a bucket."""
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 (takes a second, which the fast suite must not)

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    files = fsspec.filesystem("s3")
    files.mkdir("corrections")
    yield "s3://corrections"
    server.stop()
    files.clear_instance_cache()


@pytest.fixture(params=["folder", "memory", pytest.param("s3", marks=pytest.mark.slow)])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "s3":
        yield f"{request.getfixturevalue('bucket')}/mine"
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
