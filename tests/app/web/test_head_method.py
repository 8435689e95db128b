from collections.abc import AsyncIterator

import httpx
import pytest
import structlog
from fastapi import FastAPI
from structlog.testing import LogCapture

from app.observability.metrics import ServiceMetrics
from app.observability.request_log import RequestLog
from app.web import problems
from app.web.head_method import HeadAsGet
from app.web.request_log_middleware import RequestLogMiddleware

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(metrics: ServiceMetrics, log: LogCapture) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.state.metrics = metrics
    problems.install(app)

    @app.get("/models/{name}")
    async def read(name: str) -> str:
        return name

    @app.get("/failing/{name}")
    async def fail(name: str) -> str:
        raise RuntimeError(name)

    @app.post("/predict")
    async def predict() -> str:
        return "done"

    app.add_middleware(HeadAsGet)
    request_log = RequestLog(metrics, structlog.wrap_logger(None, processors=[log]), access_log=True)
    app.add_middleware(RequestLogMiddleware, recorder=request_log)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://service") as client:
        yield client


async def test_head_has_the_headers_of_get_and_no_body(client: httpx.AsyncClient) -> None:
    heads = [(await ask("/models/softmax")).headers for ask in (client.head, client.get)]
    for headers in heads:
        assert headers["content-length"] == str(len('"softmax"'))
        assert headers["content-type"] == "application/json"
    assert (await client.head("/models/softmax")).content == b""


async def test_head_is_not_allowed_where_get_is_not(client: httpx.AsyncClient) -> None:
    assert (await client.head("/predict")).status_code == 405
    assert (await client.head("/nowhere")).status_code == 404
    assert (await client.post("/predict")).json() == "done"
    assert (await client.post("/models/softmax")).status_code == 405


async def test_head_is_counted_and_logged_as_head_with_its_route(
    client: httpx.AsyncClient, metrics: ServiceMetrics, log: LogCapture
) -> None:
    await client.head("/models/softmax")
    await client.head("/failing/softmax")
    assert [(entry["method"], entry["path"], entry["status"]) for entry in log.entries] == [
        ("HEAD", "/models/softmax", 200),
        ("HEAD", "/failing/softmax", 500),
    ]
    lines = metrics.exposition("text/plain")[0].decode()
    for route, status in (("/models/{name}", 200), ("/failing/{name}", 500)):
        assert f'method="HEAD",model="",route="{route}",status="{status}"' in lines


async def test_openapi_does_not_list_head(client: httpx.AsyncClient) -> None:
    for path in (await client.get("/openapi.json")).json()["paths"].values():
        assert "head" not in path
