"""A real server that speaks the protocol, with a door and an express way that do what a test wants."""

import asyncio
import gc
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Scope

from app import problems
from app.byte_budget import ByteBudget
from app.heads import Heads
from app.protocol import Protocol
from app.refusal import Answer

POST = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"
PREDICT = POST.replace(b"/echo", b"/predict?seen=true")


async def until(condition: Callable[[], object]) -> None:
    """Wait until something is true that tells nobody."""
    with anyio.fail_after(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


class Door:
    """Lets nobody in unless it is open."""

    def __init__(self) -> None:
        self.is_open = False
        self.asked: list[str] = []
        self.arrived: list[str] = []
        self.left = 0

    def enter(self, scope: Scope) -> Answer | None:
        self.asked.append(scope["path"])
        scope["state"]["brief"] = scope["path"] == "/predict"
        scope["state"]["leave"] = self._leave
        scope["state"]["arrive"] = lambda: self.arrived.append(scope["path"])
        return None if self.is_open else Answer(503, [(b"retry-after", b"1"), (b"content-length", b"6")], b"closed")

    def give_up(self, scope: Scope, error: Exception) -> Answer:
        scope["state"]["leave"]()
        return Answer(
            problems.kind_of(error).status, [(b"content-length", b"%d" % len(str(error)))], str(error).encode()
        )

    def _leave(self) -> None:
        self.left += 1


class Express:
    """Takes what does not begin with `no`, and answers when a test has it do so."""

    def __init__(self) -> None:
        self.taken: list[tuple[Scope, bytes, Callable[[Response], None]]] = []
        self.forgotten = 0

    def take(self, scope: Scope, body: bytes, send: Callable[[Response], None]) -> Callable[[], None] | None:
        if body.startswith(b"no"):
            return None
        self.taken.append((scope, body, send))
        return self._forget

    def _forget(self) -> None:
        self.forgotten += 1

    async def answer(self) -> None:
        """Answer the first that has been taken with its body, once it is there."""
        await self.come()
        _, body, send = self.taken.pop(0)
        send(Response(body.upper()))

    async def come(self, count: int = 1) -> None:
        """Wait until so many have come."""
        await until(lambda: len(self.taken) >= count)


Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


@asynccontextmanager
async def serving(
    door: Door,
    express: Express,
    left: list[str] | None = None,
    *,
    upload_seconds: float = 60,
    budget: ByteBudget | None = None,
) -> AsyncIterator[Connect]:
    """Give what opens a connection to a server that repeats what it is sent.

    It puts into `left` the paths of requests whose sender has left before they had come in whole.
    """

    async def echo(request: Request) -> Response:
        try:
            body = await request.body()
        except ClientDisconnect:
            if left is not None:
                left.append(request.url.path)
            raise
        await asyncio.sleep(0.05 if body in {b"slow", b"no.."} else 0)
        return PlainTextResponse(body)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, object]]:
        state = {"door": door, "express": express, "heads": Heads(), "upload_seconds": upload_seconds}
        yield state if budget is None else state | {"byte_budget": budget}

    async def long(_: Request) -> Response:
        return PlainTextResponse(b"long" * 2**20)

    routes = [Route(path, echo, methods=["GET", "POST"]) for path in ("/echo", "/predict")]
    routes.append(Route("/long", long))
    app = Starlette(routes=routes, lifespan=lifespan)
    server = uvicorn.Server(uvicorn.Config(app, http=Protocol, port=0, log_config=None))
    running = asyncio.create_task(server.serve())
    with anyio.fail_after(30):
        while not server.started:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield lambda: asyncio.open_connection("127.0.0.1", port)
        server.should_exit = True
        await running


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Read one answer's status and body."""
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    length = re.search(rb"content-length: (\d+)", head)
    assert length is not None
    return int(head.split()[1]), await reader.readexactly(int(length[1]))


def only_connection() -> Protocol:
    """Find the server's end of the one connection there is."""
    loop = asyncio.get_running_loop()
    protocols = [each for each in gc.get_objects() if isinstance(each, Protocol) and each.loop is loop]
    (protocol,) = (each for each in protocols if each in each.connections)
    return protocol


class Watched:
    """A transport whose writes are noted."""

    def __init__(self, transport: asyncio.Transport, writes: list[bytes]) -> None:
        self._transport = transport
        self._writes = writes

    def write(self, data: bytes) -> None:
        self._writes.append(data)
        self._transport.write(data)

    def __getattr__(self, name: str) -> object:
        return getattr(self._transport, name)


def watch_writes(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Give what is written to connections from now on."""
    writes: list[bytes] = []
    on_way_out = Protocol.connection_made

    def watch(self: Protocol, transport: asyncio.Transport) -> None:
        on_way_out(self, Watched(transport, writes))  # type: ignore[arg-type]

    monkeypatch.setattr(Protocol, "connection_made", watch)
    return writes
