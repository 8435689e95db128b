from collections.abc import AsyncIterator

import anyio
import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from starlette.types import Receive, Scope, Send

from app import problems
from app.errors import MalformedRequest
from app.shortcut import Shortcut

pytestmark = pytest.mark.anyio
router = APIRouter()


@router.post("/echo")
async def echo(request: Request) -> Response:
    return Response(await request.body(), headers={"route": request.scope["route"].path})


@router.post("/fail")
async def fail(request: Request) -> Response:
    message = "This is why."
    raise MalformedRequest(message)


@router.post("/guarded", dependencies=[Depends(lambda: None)])
async def guarded(request: Request) -> Response:
    return Response()


class Framework:
    """Notes what came the usual way."""

    def __init__(self) -> None:
        self.paths: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.paths.append(scope["path"])
        await Response("the usual way")(scope, receive, send)


class Telemetry:
    def refused(self, reason: str) -> None:
        self.reason = reason


@pytest.fixture
def framework() -> Framework:
    return Framework()


@pytest.fixture
async def client(framework: Framework) -> AsyncIterator[httpx.AsyncClient]:
    shortcut = Shortcut(framework, routes=router.routes)
    app = FastAPI()
    app.state.telemetry = Telemetry()

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        await shortcut({**scope, "app": app, "state": {"request_id": "1"}}, receive, send)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(served), base_url="http://test") as client:
        yield client


async def test_a_declared_route_is_called_without_the_framework(
    client: httpx.AsyncClient, framework: Framework
) -> None:
    response = await client.post("/echo", content=b"picture")
    assert (response.content, response.headers["route"]) == (b"picture", "/echo")
    assert framework.paths == []


async def test_an_expected_error_becomes_a_problem(client: httpx.AsyncClient) -> None:
    response = await client.post("/fail")
    assert response.status_code == 400
    assert response.headers["content-type"] == problems.MEDIA_TYPE
    assert response.json()["detail"] == "This is why."


@pytest.mark.parametrize(("method", "path"), [("GET", "/echo"), ("POST", "/elsewhere"), ("POST", "/guarded")])
async def test_all_else_goes_the_usual_way(
    client: httpx.AsyncClient, framework: Framework, method: str, path: str
) -> None:
    response = await client.request(method, path)
    assert response.text == "the usual way"
    assert framework.paths == [path]


async def test_what_is_not_http_goes_the_usual_way() -> None:
    passed = anyio.Event()

    async def framework(scope: Scope, receive: Receive, send: Send) -> None:
        passed.set()

    await Shortcut(framework, routes=router.routes)({"type": "lifespan"}, None, None)
    assert passed.is_set()
