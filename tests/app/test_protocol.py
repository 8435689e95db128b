"""The protocol on a real server and real connections, with a door that says what a test wants."""

import asyncio
import gc
import os
import re
import socket
import struct
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

from app.protocol import Protocol
from app.refusal import Answer

pytestmark = pytest.mark.anyio

POST = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"


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

    def enter(self, scope: Scope) -> Answer | None:
        self.asked.append(scope["path"])
        scope["state"]["brief"] = scope["path"] == "/predict"
        return None if self.is_open else Answer(503, [(b"retry-after", b"1"), (b"content-length", b"6")], b"closed")


@pytest.fixture
def door() -> Door:
    return Door()


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


@pytest.fixture
def express() -> Express:
    return Express()


@pytest.fixture
def left() -> list[str]:
    """Give the paths of requests whose sender has left before they had come in whole."""
    return []


Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


@pytest.fixture
async def connect(door: Door, express: Express, left: list[str]) -> AsyncIterator[Connect]:
    """Give what opens a connection to a server that repeats what it is sent."""

    async def echo(request: Request) -> Response:
        try:
            body = await request.body()
        except ClientDisconnect:
            left.append(request.url.path)
            raise
        await asyncio.sleep(0.05 if body in {b"slow", b"no.."} else 0)
        return PlainTextResponse(body)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, object]]:
        yield {"door": door, "express": express}

    routes = [Route(path, echo, methods=["GET", "POST"]) for path in ("/echo", "/predict")]
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


async def test_the_refused_are_answered_and_may_ask_again(connect: Connect, door: Door) -> None:
    reader, writer = await connect()
    for door.is_open, expected in ((False, (503, b"closed")), (True, (200, b"body")), (False, (503, b"closed"))):
        writer.write(POST)
        assert await answer(reader) == expected
    writer.close()


async def test_the_body_of_a_refused_request_is_passed_over(connect: Connect, door: Door) -> None:
    reader, writer = await connect()
    head = POST.replace(b"Content-Length: 4", b"Content-Length: 300000").removesuffix(b"body")
    writer.write(head + b"GET /" * 20_000)
    assert await answer(reader) == (503, b"closed")
    door.is_open = True
    writer.write(b"GET /" * 40_000 + POST)
    assert await answer(reader) == (200, b"body")
    writer.close()


async def test_answers_come_in_the_order_of_the_requests(connect: Connect, door: Door) -> None:
    reader, writer = await connect()
    writer.write(POST * 3)
    assert [await answer(reader) for _ in range(3)] == [(503, b"closed")] * 3
    door.is_open = True
    writer.write(POST * 3)
    assert [await answer(reader) for _ in range(3)] == [(200, b"body")] * 3
    assert len(door.asked) == 4  # the second and third wait for the first, which is out of the ordinary
    writer.close()


async def test_a_request_on_the_heels_of_a_refused_one_is_answered_after_it(
    connect: Connect, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter = door.enter
    monkeypatch.setattr(door, "enter", lambda scope: (enter(scope), setattr(door, "is_open", True))[0])
    reader, writer = await connect()
    writer.write(POST + POST.replace(b"body", b"slow") + POST)
    assert [await answer(reader) for _ in range(3)] == [(503, b"closed"), (200, b"slow"), (200, b"body")]
    writer.close()


@pytest.mark.parametrize(
    "request_",
    [
        POST.replace(b"POST", b"GET"),
        POST.replace(b"1.1", b"1.0"),
        POST.replace(b"/echo", b"/%65cho"),
        POST.replace(b"/echo", b"http://x/echo"),
        POST.replace(b"Host: x", b"Host: x\r\nConnection: close"),
        POST.replace(b"Host: x", b"Host: x\r\nConnection: Upgrade\r\nUpgrade: h2c"),
    ],
)
async def test_what_is_out_of_the_ordinary_is_the_applications_to_refuse(
    connect: Connect, door: Door, request_: bytes
) -> None:
    reader, writer = await connect()
    writer.write(request_)
    status, _ = await answer(reader)
    assert status in (200, 400)
    assert door.asked == []
    writer.close()


async def test_who_asks_before_sending_a_body_is_told(connect: Connect) -> None:
    reader, writer = await connect()
    writer.write(POST.removesuffix(b"body").replace(b"Host: x", b"Host: x\r\nExpect: 100-continue"))
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
    writer.write(b"body")
    assert await answer(reader) == (200, b"body")
    writer.close()


async def test_the_path_is_told_without_what_is_asked_of_it(connect: Connect, door: Door) -> None:
    reader, writer = await connect()
    writer.write(POST.replace(b"/echo", b"/echo?model=softmax"))
    await answer(reader)
    assert door.asked == ["/echo"]
    writer.close()


async def test_no_answer_is_written_while_there_is_more_to_read(
    connect: Connect, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    monkeypatch.setattr(Protocol, "_refuse", lambda self, *_: written.append(self.url))
    before: list[int] = []
    refuse = door.enter
    monkeypatch.setattr(door, "enter", lambda scope: (before.append(len(written)), refuse(scope))[1])
    _, writer = await connect()
    writer.write(POST * 5)
    await until(lambda: len(written) >= 5)
    assert before == [0] * 5
    writer.close()


def only_connection() -> Protocol:
    """Find the server's end of the one connection there is."""
    loop = asyncio.get_running_loop()
    protocols = [each for each in gc.get_objects() if isinstance(each, Protocol) and each.loop is loop]
    (protocol,) = (each for each in protocols if each in each.connections)
    return protocol


PREDICT = POST.replace(b"/echo", b"/predict?seen=true")


async def test_a_small_prediction_is_answered_without_a_task(connect: Connect, door: Door, express: Express) -> None:
    door.is_open = True
    reader, writer = await connect()
    for pieces in ([PREDICT], [PREDICT[:30], PREDICT[30:-2], PREDICT[-2:]]):
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0.01)
        await express.come()
        scope, body, _ = express.taken[0]
        assert (scope["path"], scope["query_string"], body) == ("/predict", b"seen=true", b"body")
        assert not only_connection().tasks
        await express.answer()
        assert await answer(reader) == (200, b"BODY")
    writer.close()


@pytest.mark.parametrize("cut", [0, 20, -2])
async def test_what_is_declined_goes_the_usual_way(connect: Connect, door: Door, express: Express, cut: int) -> None:
    door.is_open = True
    reader, writer = await connect()
    declined = PREDICT.replace(b"body", b"no..")
    for _ in range(2):
        writer.write(declined[:cut])
        await asyncio.sleep(0.01)
        writer.write(declined[cut:] + PREDICT)
        assert await answer(reader) == (200, b"no..")
        assert await answer(reader) == (200, b"body")  # which came while that was under way
    assert express.taken == []
    writer.close()


async def test_what_comes_behind_one_that_is_under_way_is_answered_after_it(
    connect: Connect, door: Door, express: Express
) -> None:
    door.is_open = True
    reader, writer = await connect()
    writer.write(PREDICT + POST.replace(b"body", b"next"))
    await express.come()
    writer.write(POST.replace(b"body", b"last"))
    await asyncio.sleep(0.02)
    await express.answer()
    assert [await answer(reader) for _ in range(3)] == [(200, b"BODY"), (200, b"next"), (200, b"last")]
    writer.close()


async def test_who_leaves_before_the_answer_is_forgotten(connect: Connect, door: Door, express: Express) -> None:
    door.is_open = True
    _, gone = await connect()
    gone.write(PREDICT)
    await express.come()
    gone.transport.abort()
    await until(lambda: express.forgotten)
    await express.answer()  # which goes nowhere
    reader, writer = await connect()
    writer.write(PREDICT)
    await express.answer()
    assert await answer(reader) == (200, b"BODY")
    assert express.forgotten == 1
    writer.close()


async def test_the_application_is_told_of_who_leaves_before_the_body_has_come(
    connect: Connect, door: Door, express: Express, left: list[str]
) -> None:
    door.is_open = True
    _, gone = await connect()
    gone.write(PREDICT.removesuffix(b"dy"))
    await until(lambda: door.asked)
    gone.transport.abort()
    await until(lambda: left)
    assert left == ["/predict"]
    assert express.taken == []


async def test_a_stop_answers_what_is_under_way_and_closes(connect: Connect, door: Door, express: Express) -> None:
    door.is_open = True
    for body in (b"body", b"no.."):
        reader, writer = await connect()
        request = PREDICT.replace(b"body", body)
        door.asked.clear()
        writer.write(request[:-1])
        await until(lambda: door.asked)
        only_connection().shutdown()
        writer.write(request[-1:])
        if body == b"body":
            await express.answer()
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        assert b"\r\nconnection: close\r\n" in head
        assert await reader.read() == (b"BODY" if body == b"body" else body)
        writer.close()


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Give what is written to connections."""
    writes: list[bytes] = []
    on_way_out = Protocol.connection_made

    def watch(self: Protocol, transport: asyncio.Transport) -> None:
        on_way_out(self, Watched(transport, writes))  # type: ignore[arg-type]

    monkeypatch.setattr(Protocol, "connection_made", watch)
    return writes


async def test_an_answer_is_one_write(connect: Connect, door: Door, express: Express, writes: list[bytes]) -> None:
    door.is_open = True
    reader, writer = await connect()
    for _ in range(2):
        writer.write(PREDICT)
        await express.answer()
        assert await answer(reader) == (200, b"BODY")
    writer.close()
    assert [(write.startswith(b"HTTP/1.1 200"), write.endswith(b"BODY")) for write in writes] == [(True, True)] * 2


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


async def test_a_connection_is_not_closed_for_being_idle_when_a_request_is_there(connect: Connect, door: Door) -> None:
    door.is_open = True
    reader, writer = await connect()
    writer.write(POST)
    assert await answer(reader) == (200, b"body")
    protocol = only_connection()
    client = writer.get_extra_info("socket")
    os.write(client.fileno(), POST)  # past the event loop, which has not read it when its timers are due
    protocol.timeout_keep_alive_handler()
    assert await answer(reader) == (200, b"body")
    protocol.timeout_keep_alive_handler()
    assert os.read(client.fileno(), 1) == b""  # at once: the event loop would close it at the end of its turn
    assert await reader.read() == b""
    writer.close()


async def test_who_leaves_with_one_under_way_and_another_behind_it_is_written_nothing(
    connect: Connect, door: Door, writes: list[bytes]
) -> None:
    door.is_open = True
    reader, writer = await connect()
    writer.write(POST + POST.replace(b"body", b"slow") + POST)
    assert await answer(reader) == (200, b"body")
    writes.clear()
    protocol = only_connection()
    tasks = set(protocol.tasks)
    assert len(tasks) == 1
    protocol.connection_lost(ConnectionResetError())  # a real one is noticed when the kernel pleases
    with anyio.fail_after(10):
        await asyncio.wait(tasks)
    assert writes == []
    writer.close()


async def test_nobody_waits_for_a_connection_that_was_reset(connect: Connect, door: Door) -> None:
    door.is_open = True
    reader, writer = await connect()
    writer.write(POST)
    assert await answer(reader) == (200, b"body")
    protocol = only_connection()
    assert protocol.timeout_keep_alive_task is not None
    client = writer.get_extra_info("socket")
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    await until(lambda: protocol not in protocol.connections)
    assert protocol.timeout_keep_alive_task is None


async def test_who_left_before_the_answer_harms_nobody(connect: Connect, door: Door) -> None:
    _, writer = await connect()
    writer.write(POST)
    writer.transport.abort()
    with anyio.fail_after(10):
        reader, writer = await connect()
        writer.write(POST)
        assert await answer(reader) == (503, b"closed")
    writer.close()
