"""The samples of the page."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest
from PIL import Image

from tests.app.page.samples import FOLDER, SAMPLES
from tests.conftest import Serve

pytestmark = pytest.mark.anyio

KILOBYTE = 1000


@pytest.fixture(scope="module")
async def client(serve: Serve) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of a service that may take long: some samples are looked at twice, and a machine may be busy."""
    async with serve(deadline_seconds=120) as client:
        yield client


def test_each_sample_is_on_the_page_and_small() -> None:
    index = (FOLDER / "index.html").read_text()
    assert set(re.findall(r"sample-\w+\.webp", index)) == set(SAMPLES) == {path.name for path in FOLDER.glob("*.webp")}
    assert sum((FOLDER / name).stat().st_size for name in SAMPLES) < 25 * KILOBYTE
    for name in SAMPLES:
        with Image.open(FOLDER / name) as picture:
            assert 200 < max(picture.size) <= 320


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, (_, _, text) in SAMPLES.items()])
async def test_no_sample_is_misread_without_a_doubt(client: httpx.AsyncClient, name: str, text: str | None) -> None:
    data = (FOLDER / name).read_bytes()
    prediction = (await client.post("/predict", content=data)).json()
    if text is None:
        assert prediction["reason"] == "not_a_digit"
    elif len(text) == 1:
        assert prediction["abstained"] or str(prediction["digit"]) == text
    else:
        assert prediction["reason"] == "several_digits"
        assert (await client.post("/read", content=data)).json()["text"] == text
