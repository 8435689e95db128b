"""One request after the other through uvicorn and an ASGI application, without a network. Knows nothing of either."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from benchmarks.payloads import Body


def exchange_with(
    app: Any,  # noqa: ANN401 - any ASGI application
    body: Body,
    *,
    speak: type[HttpToolsProtocol] = HttpToolsProtocol,
    state: Mapping[str, Any] | None = None,
) -> Callable[[], Awaitable[None]]:
    """Open a connection; what is given back sends one request over it and awaits the answer, which must be 200.

    Args:
        app: that is asked.
        body: of each request.
        speak: how the server speaks HTTP.
        state: what the application's lifespan left for it.

    """
    config = uvicorn.Config(app, http="httptools", lifespan="off", access_log=False, log_config=None)
    config.load()
    protocol = speak(config, ServerState(), dict(state or {}))
    connection = _Connection()
    protocol.connection_made(connection)
    head = f"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: {body.content_type}\r\n"
    request = f"{head}content-length: {len(body.data)}\r\n\r\n".encode() + body.data

    async def exchange() -> None:
        protocol.data_received(request)
        status = await connection.status()
        if status != 200:
            message = f"The application answered {status}; a benchmark of that would mean nothing."
            raise RuntimeError(message)

    return exchange


async def constant(
    _scope: object, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    """Be an application that answers as briefly as ASGI allows, with as many bytes as a prediction has."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"200")]})
    await send({"type": "http.response.body", "body": b" " * 200})


class _Connection(asyncio.Transport):
    """Stands in for a socket: what the server writes is parsed at once, as a client would."""

    def __init__(self) -> None:
        super().__init__()
        self._answered: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._parser = httptools.HttpResponseParser(self)

    async def status(self) -> int:
        """Wait for the next answer, and give its status."""
        status = await self._answered
        self._answered = asyncio.get_running_loop().create_future()
        self._parser = httptools.HttpResponseParser(self)
        return status

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        self._answered.set_result(self._parser.get_status_code())

    def get_extra_info(self, name: str, default: object = None) -> object:
        return ("127.0.0.1", 0) if name in {"peername", "sockname"} else default

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        """Nothing to close."""
