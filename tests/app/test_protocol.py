"""The protocol on a real server and real connections, with a door that says what a test wants."""

import asyncio
import gc
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Scope

from app.admission import Room
from app.line import UNDER_WAY, Line
from app.protocol import Protocol

pytestmark = pytest.mark.anyio

POST = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"


class Door:
    """Lets nobody in unless it is open."""

    def __init__(self) -> None:
        self.is_open = False
        self.asked: list[str] = []

    def enter(self, scope: Scope) -> Response | None:
        self.asked.append(scope["path"])
        scope["state"]["brief"] = True
        return None if self.is_open else Response(b"closed", 503, {"retry-after": "1"})


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
def line() -> Line:
    return Line(Room(1000))


@pytest.fixture
def busy(door: Door, line: Line) -> None:
    """Let everybody in, and have so many under way that nobody's turn comes."""
    door.is_open = True
    for _ in range(UNDER_WAY):
        line.enter()


Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


@pytest.fixture
async def connect(door: Door, line: Line) -> AsyncIterator[Connect]:
    """Give what opens a connection to a server that repeats what it is sent."""

    async def echo(request: Request) -> Response:
        body = await request.body()
        await asyncio.sleep(0.05 if body == b"slow" else 0)
        return PlainTextResponse(body)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, object]]:
        yield {"door": door, "line": line}

    async def send_pieces(_: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"one"
            yield b"two"

        return StreamingResponse(pieces())

    async def wait(request: Request) -> Response:
        if request.url.query != "hasty":
            await request.body()
            await asyncio.sleep(0.05)
        return PlainTextResponse(f"{request.state.waited:.3f}" if hasattr(request.state, "waited") else "at once")

    predict = Route("/predict", wait, methods=["POST"])
    routes = [predict, Route("/echo", echo, methods=["GET", "POST"]), Route("/pieces", send_pieces, methods=["POST"])]
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
    monkeypatch.setattr(Protocol, "_answer", lambda self, *_: written.append(self.url))
    before: list[int] = []
    refuse = door.enter
    monkeypatch.setattr(door, "enter", lambda scope: (before.append(len(written)), refuse(scope))[1])
    _, writer = await connect()
    writer.write(POST * 5)
    with anyio.fail_after(10):
        while len(written) < 5:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert before == [0] * 5
    writer.close()


PREDICT = POST.replace(b"/echo", b"/predict")


async def test_small_predictions_wait_for_their_turn(
    connect: Connect, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.line.UNDER_WAY", 2)
    door.is_open = True
    connections = [await connect() for _ in range(6)]
    for _, writer in connections:
        writer.write(PREDICT)
        await asyncio.sleep(0.002)
    answers = [float((await answer(reader))[1].replace(b"at once", b"0")) for reader, _ in connections]
    assert answers[:2] == [0, 0]
    assert 0.02 < min(answers[2:4]) < max(answers[2:4]) + 0.02 < min(answers[4:])
    for _, writer in connections:
        writer.close()


@pytest.mark.usefixtures("busy")
async def test_what_is_no_small_prediction_does_not_wait(connect: Connect) -> None:
    reader, writer = await connect()
    writer.write(POST)
    assert await answer(reader) == (200, b"body")
    slow = PREDICT.removesuffix(b"dy")  # which might never come
    writer.write(slow)
    await asyncio.sleep(0.02)
    writer.write(b"dy")
    assert await answer(reader) == (200, b"at once")
    writer.close()


async def test_who_was_answered_before_the_body_came_is_not_under_way(connect: Connect, door: Door, line: Line) -> None:
    door.is_open = True
    reader, writer = await connect()
    writer.write(PREDICT.replace(b"/predict", b"/predict?hasty").removesuffix(b"dy"))
    assert (await answer(reader))[0] == 200
    writer.write(b"dy")
    await asyncio.sleep(0.02)
    assert line._under_way == 0
    writer.close()


async def connect_and_wait(connect: Connect) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a connection, and have a small prediction wait on it."""
    reader, writer = await connect()
    writer.write(PREDICT)
    await asyncio.sleep(0.02)
    return reader, writer


def only_connection() -> Protocol:
    """Find the server's end of the one connection there is."""
    loop = asyncio.get_running_loop()
    protocols = [each for each in gc.get_objects() if isinstance(each, Protocol) and each.loop is loop]
    (protocol,) = (each for each in protocols if each in each.connections)
    return protocol


@pytest.mark.usefixtures("busy")
async def test_what_comes_behind_one_that_waits_waits_too(connect: Connect, door: Door, line: Line) -> None:
    reader, writer = await connect_and_wait(connect)
    writer.write(POST)
    await asyncio.sleep(0.02)
    assert door.asked == []
    line.leave()
    status, waited = await answer(reader)
    assert status == 200
    assert float(waited) >= 0.04
    assert await answer(reader) == (200, b"body")
    writer.close()


@pytest.mark.usefixtures("busy")
async def test_who_left_while_it_waited_harms_nobody(connect: Connect, door: Door, line: Line) -> None:
    (_, gone), (reader, writer) = await connect_and_wait(connect), await connect_and_wait(connect)
    gone.transport.abort()
    await asyncio.sleep(0.02)
    line.leave()
    assert (await answer(reader))[0] == 200
    assert door.asked == ["/predict"]
    writer.close()


@pytest.mark.usefixtures("busy")
async def test_a_stop_answers_those_that_wait(connect: Connect) -> None:
    reader, writer = await connect_and_wait(connect)
    only_connection().shutdown()
    assert (await answer(reader))[0] == 200
    assert await reader.read() == b""  # and the connection is closed
    writer.close()


async def test_an_answer_is_one_write(connect: Connect, door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    writes: list[bytes] = []
    on_way_out = Protocol.connection_made

    def watch(self: Protocol, transport: asyncio.Transport) -> None:
        on_way_out(self, Watched(transport, writes))  # type: ignore[arg-type]

    monkeypatch.setattr(Protocol, "connection_made", watch)
    door.is_open = True
    reader, writer = await connect()
    for _ in range(2):
        writer.write(POST)
        assert await answer(reader) == (200, b"body")
    writer.write(POST.replace(b"/echo", b"/pieces"))
    assert (await reader.readuntil(b"0\r\n\r\n")).endswith(b"\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")
    writer.close()
    assert [write.split(b" ")[0] for write in writes[:3]] == [b"HTTP/1.1"] * 3
    assert len(writes) == 5  # the second piece and the end are not held back for anything


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


async def test_who_left_before_the_answer_harms_nobody(connect: Connect, door: Door) -> None:
    _, writer = await connect()
    writer.write(POST)
    writer.transport.abort()
    with anyio.fail_after(10):
        reader, writer = await connect()
        writer.write(POST)
        assert await answer(reader) == (503, b"closed")
    writer.close()
