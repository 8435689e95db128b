import anyio
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from benchmarks.exchange import constant, exchange_with
from benchmarks.payloads import Body

BODY = Body("image/png", b"picture")


def test_the_application_receives_the_body_with_every_request() -> None:
    bodies = []

    async def predict(request: Request) -> PlainTextResponse:
        bodies.append((request.headers["content-type"], await request.body()))
        return PlainTextResponse("seven")

    async def twice() -> None:
        exchange = exchange_with(Starlette(routes=[Route("/predict", predict, methods=["POST"])]), BODY)
        await exchange()
        await exchange()

    anyio.run(twice)
    assert bodies == [("image/png", b"picture")] * 2


def test_a_status_other_than_200_raises_an_error() -> None:
    async def once() -> None:
        await exchange_with(Starlette(), BODY)()

    with pytest.raises(RuntimeError, match="404"):
        anyio.run(once)


def test_the_constant_application_answers() -> None:
    async def once() -> None:
        await exchange_with(constant, BODY)()

    anyio.run(once)
