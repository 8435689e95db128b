from collections.abc import AsyncIterator

import httpx
import pytest

from benchmarks.unit_costs import Kind, list_kinds
from tests.conftest import Serve

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture(scope="module")
async def client(serve: Serve) -> AsyncIterator[httpx.AsyncClient]:
    async with serve(required_models="convnet,softmax,finder") as client:
        yield client


@pytest.mark.parametrize("kind", list_kinds(), ids=lambda kind: kind.name)
async def test_every_kind_of_request_is_answered(kind: Kind, client: httpx.AsyncClient) -> None:
    headers = {"Content-Type": kind.body.content_type}
    response = await client.post(kind.path, content=kind.body.data, headers=headers)
    assert response.status_code == 200, response.text
    if kind.path == "/read":
        assert len(response.json()["text"]) > 90
