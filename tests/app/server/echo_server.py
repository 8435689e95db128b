"""A real server that echoes bodies, with an admission control and a fast path that a test controls."""

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

from app.errors import Overloaded, ServiceError
from app.server.byte_budget import ByteBudget
from app.server.fast_path_connection import FastPathConnection
from app.server.head_cache import HeadCache
from app.server.refusals import RawResponse
from app.web import problems

POST = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"
PREDICT = POST.replace(b"/echo", b"/predict?seen=true")


async def until(condition: Callable[[], object]) -> None:
    """Wait until the condition is true, by polling."""
    with anyio.fail_after(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


class FakeAdmission:
    """An admission that records its calls."""

    def __init__(self, control: "FakeAdmissionControl", path: str) -> None:
        self._control = control
        self._path = path
        self.may_use_fast_path = path == "/predict"

    def mark_received(self) -> None:
        self._control.received.append(self._path)

    def release(self) -> None:
        self._control.released += 1


class FakeAdmissionControl:
    """Admits all requests if it is open, or none."""

    def __init__(self) -> None:
        self.is_open = False
        self.paths: list[str] = []
        self.received: list[str] = []
        self.released = 0

    def admit(self, scope: Scope) -> FakeAdmission | ServiceError:
        self.paths.append(scope["path"])
        return FakeAdmission(self, scope["path"]) if self.is_open else Overloaded("closed")


class FakeRefusals:
    """Answers with the error's message as the body."""

    def create_response(self, scope: Scope, error: Exception) -> RawResponse:
        length = b"content-length", b"%d" % len(str(error))
        return RawResponse(problems.problem_type_of(error).status, [length], str(error).encode())


class FakeFastPath:
    """Accepts bodies that do not start with `no`, and answers when a test calls `answer`."""

    def __init__(self) -> None:
        self.submitted: list[tuple[Scope, bytes, Callable[[Response], None]]] = []
        self.cancelled = 0

    def submit(self, scope: Scope, body: bytes, send: Callable[[Response], None]) -> Callable[[], None] | None:
        if body.startswith(b"no"):
            return None
        self.submitted.append((scope, body, send))
        return self._cancel

    def _cancel(self) -> None:
        self.cancelled += 1

    async def answer(self) -> None:
        """Answer the first request with its body, once there is one."""
        await self.wait_for()
        _, body, send = self.submitted.pop(0)
        send(Response(body.upper()))

    async def wait_for(self, count: int = 1) -> None:
        """Wait until `count` requests have been submitted."""
        await until(lambda: len(self.submitted) >= count)


class EchoServer(uvicorn.Server):
    """Stops at once. Stock uvicorn looks every tenth of a second whether it should, which adds up over many tests."""

    def __init__(self, app: Starlette) -> None:
        super().__init__(uvicorn.Config(app, http=FastPathConnection, port=0, log_config=None))
        self._stopping = asyncio.Event()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self._stopping.wait()

    def stop(self) -> None:
        self.should_exit = True
        self._stopping.set()


Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


@asynccontextmanager
async def serving(
    admission_control: FakeAdmissionControl,
    fast_path: FakeFastPath,
    disconnected: list[str] | None = None,
    *,
    upload_seconds: float = 60,
    budget: ByteBudget | None = None,
) -> AsyncIterator[Connect]:
    """Run a server that echoes request bodies, and yield a function that opens a connection.

    The server appends to `disconnected` the paths of incomplete requests whose client has disconnected.
    """

    async def echo(request: Request) -> Response:
        try:
            body = await request.body()
        except ClientDisconnect:
            if disconnected is not None:
                disconnected.append(request.url.path)
            raise
        await asyncio.sleep(0.05 if body in {b"slow", b"no.."} else 0)
        return PlainTextResponse(body)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, object]]:
        state = {
            "admission_control": admission_control,
            "refusals": FakeRefusals(),
            "fast_path": fast_path,
            "head_cache": HeadCache(),
            "upload_seconds": upload_seconds,
        }
        yield state if budget is None else state | {"byte_budget": budget}

    async def long(_: Request) -> Response:
        return PlainTextResponse(b"long" * 2**20)

    routes = [Route(path, echo, methods=["GET", "POST"]) for path in ("/echo", "/predict")]
    routes.append(Route("/long", long))
    app = Starlette(routes=routes, lifespan=lifespan)
    server = EchoServer(app)
    server_task = asyncio.create_task(server.serve())
    with anyio.fail_after(30):
        while not server.started:  # noqa: ASYNC110 - it has no event to wait for
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield lambda: asyncio.open_connection("127.0.0.1", port)
        server.stop()
        await server_task


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Read the status and body of one response."""
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    length = re.search(rb"content-length: (\d+)", head)
    assert length is not None
    return int(head.split()[1]), await reader.readexactly(int(length[1]))


def open_connections() -> list[FastPathConnection]:
    """Return the server's side of all open connections."""
    loop = asyncio.get_running_loop()
    objects = [each for each in gc.get_objects() if isinstance(each, FastPathConnection) and each.loop is loop]
    return [each for each in objects if each in each.connections]


def only_connection() -> FastPathConnection:
    """Return the server's side of the only connection."""
    (connection,) = open_connections()
    return connection


class RecordingTransport:
    """A transport that records its writes."""

    def __init__(self, transport: asyncio.Transport, writes: list[bytes]) -> None:
        self._transport = transport
        self._writes = writes

    def write(self, data: bytes) -> None:
        self._writes.append(data)
        self._transport.write(data)

    def __getattr__(self, name: str) -> object:
        return getattr(self._transport, name)


def record_writes(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Return the list of all data written to connections from now on."""
    writes: list[bytes] = []
    connection_made = FastPathConnection.connection_made

    def record(self: FastPathConnection, transport: asyncio.Transport) -> None:
        connection_made(self, RecordingTransport(transport, writes))  # type: ignore[arg-type]

    monkeypatch.setattr(FastPathConnection, "connection_made", record)
    return writes
