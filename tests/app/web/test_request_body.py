import asyncio

import pytest
from fastapi import FastAPI, Request
from starlette.requests import ClientDisconnect
from starlette.types import Message

from app.errors import RequestTooSlow, TooLarge
from app.settings import Settings
from app.web.request_body import read_body

pytestmark = pytest.mark.anyio


def request(*chunks: bytes, length: int | None = None, ends: bool = True) -> Request:
    """Create a request whose body is received in these chunks. If it does not end, the client disconnects."""
    messages: list[Message] = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages.append({"type": "http.request", "body": b"", "more_body": False} if ends else {"type": "http.disconnect"})

    async def receive() -> Message:
        return messages.pop(0)

    headers = [] if length is None else [(b"content-length", str(length).encode())]
    return Request({"type": "http", "method": "POST", "headers": headers, "app": application()}, receive)


def application(**settings: float) -> FastAPI:
    """Create an application with these settings, as the server puts it into the scope of each request."""
    app = FastAPI()
    app.state.settings = Settings.model_validate(settings)
    return app


async def test_a_body_is_read_in_chunks() -> None:
    assert await read_body(request(b"12", b"", b"34", length=4), 4) == b"1234"


async def test_a_client_that_disconnects_has_sent_no_body() -> None:
    with pytest.raises(ClientDisconnect):
        await read_body(request(b"12", ends=False), 4)


async def test_a_content_length_past_the_limit_is_refused_before_the_body_is_read() -> None:
    unread = request(length=8)
    with pytest.raises(TooLarge, match="more than 7 bytes"):
        await read_body(unread, 7)
    assert await unread.body() == b""


async def test_a_body_past_the_limit_is_refused_whatever_its_content_length() -> None:
    for length in (None, 3):
        with pytest.raises(TooLarge):
            await read_body(request(b"1234", b"5678", length=length), 7)


async def test_a_body_that_is_not_received_in_time_is_too_slow() -> None:
    async def receive() -> Message:
        await asyncio.sleep(60)
        raise AssertionError

    app = application(upload_seconds=0.01)  # there may be no lifespan state
    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", b"image/png")], "app": app}
    with pytest.raises(RequestTooSlow, match=r"not received completely within 0\.01 seconds"):
        await read_body(Request(scope, receive), 1000)
