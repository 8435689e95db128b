"""Send requests through a server protocol and an ASGI application in one process, without a network."""

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
    protocol_class: type[HttpToolsProtocol] = HttpToolsProtocol,
    state: Mapping[str, Any] | None = None,
) -> Callable[[], Awaitable[None]]:
    """Open a connection, and return a function that sends one request over it and waits for the response.

    The function raises RuntimeError if the status of the response is not 200.

    Args:
        app: The ASGI application.
        body: The body of each request.
        protocol_class: The server's implementation of HTTP.
        state: The lifespan state of the application.

    """
    config = uvicorn.Config(app, http="httptools", lifespan="off", access_log=False, log_config=None)
    config.load()
    protocol = protocol_class(config, ServerState(), dict(state or {}))
    connection = _Connection()
    protocol.connection_made(connection)
    head = f"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: {body.content_type}\r\n"
    request = f"{head}content-length: {len(body.data)}\r\n\r\n".encode() + body.data

    async def exchange() -> None:
        protocol.data_received(request)
        status = await connection.status()
        if status != 200:
            message = f"The application answered with status {status} instead of 200, so there is nothing to measure."
            raise RuntimeError(message)

    return exchange


async def constant(
    _scope: object, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    """Answer as fast as ASGI allows, with as many bytes as a prediction has."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"200")]})
    await send({"type": "http.response.body", "body": b" " * 200})


class _Connection(asyncio.Transport):
    """A transport without a socket, which parses the server's response at once."""

    def __init__(self) -> None:
        super().__init__()
        self._answered: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._parser = httptools.HttpResponseParser(self)

    async def status(self) -> int:
        """Wait for the next response, and return its status."""
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
        """Do nothing: there is no socket."""
