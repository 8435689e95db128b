"""Requests with a cached head: they are not parsed, and have the same responses as parsed requests."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable

import pytest
from starlette.responses import Response
from starlette.types import Scope

from app.server.connection import Connection
from tests.app.server.echo_server import POST, PREDICT, Connect, FakeAdmissionControl, FakeFastPath, answer, serving

pytestmark = pytest.mark.anyio

DECLINED = PREDICT.replace(b"body", b"no..")


class ImmediateFastPath(FakeFastPath):
    """Answers in the next iteration of the event loop."""

    def __init__(self) -> None:
        super().__init__()
        self.scopes: list[Scope] = []

    def submit(self, scope: Scope, body: bytes, send: Callable[[Response], None]) -> Callable[[], None] | None:
        cancel = super().submit(scope, body, send)
        if cancel is not None:
            self.scopes.append(scope)
            asyncio.get_running_loop().call_soon(send, Response(body.upper()))
        return cancel


@pytest.fixture
def admission_control() -> FakeAdmissionControl:
    admission_control = FakeAdmissionControl()
    admission_control.is_open = True
    return admission_control


@pytest.fixture
def fast_path() -> ImmediateFastPath:
    return ImmediateFastPath()


@pytest.fixture
async def connect(admission_control: FakeAdmissionControl, fast_path: ImmediateFastPath) -> AsyncIterator[Connect]:
    async with serving(admission_control, fast_path) as connect:
        yield connect


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Return the list of all data that the parser is given."""
    parsed: list[bytes] = []
    parse = Connection.data_received

    def record(connection: Connection, data: bytes) -> None:
        parsed.append(data)
        parse(connection, data)

    monkeypatch.setattr(Connection, "data_received", record)
    return parsed


async def test_the_fast_path_gets_the_scope_of_the_parsed_request(
    connect: Connect, fast_path: ImmediateFastPath, parsed: list[bytes]
) -> None:
    for _ in range(2):
        reader, writer = await connect()
        for body in (b"body", b"more"):
            writer.write(PREDICT.replace(b"body", body))
            assert await answer(reader) == (200, body.upper())
        writer.close()
    assert parsed == [PREDICT]
    first, *others = [{**scope, "client": None, "state": None, "raw_path": None} for scope in fast_path.scopes]
    assert [{**other, "raw_path": None} for other in others] == [first] * 3


async def test_a_request_with_a_cached_head_is_refused_without_parsing(
    connect: Connect, admission_control: FakeAdmissionControl, fast_path: ImmediateFastPath, parsed: list[bytes]
) -> None:
    reader, writer = await connect()
    for is_open in (True, False, False, True):
        admission_control.is_open = is_open
        writer.write(PREDICT)
        assert await answer(reader) == ((200, b"BODY") if is_open else (503, b"closed"))
    assert parsed == [PREDICT]
    assert len(fast_path.scopes) == 2
    writer.close()


@pytest.mark.parametrize("small", [DECLINED, POST])
async def test_a_declined_request_is_released_before_it_is_admitted_again(
    connect: Connect, admission_control: FakeAdmissionControl, small: bytes
) -> None:
    reader, writer = await connect()
    for _ in range(3):
        writer.write(small)
        assert await answer(reader) == (200, small[-4:])
    assert len(admission_control.paths) - admission_control.released == 3
    assert admission_control.released == 2  # before the second admission
    writer.close()


async def test_pipelined_requests_are_answered_in_order(connect: Connect) -> None:
    reader, writer = await connect()
    writer.write(PREDICT)
    assert await answer(reader) == (200, b"BODY")
    writer.write(PREDICT + POST + PREDICT.replace(b"body", b"last"))
    assert [await answer(reader) for _ in range(3)] == [(200, b"BODY"), (200, b"body"), (200, b"last")]
    writer.close()


async def test_a_request_waits_for_the_request_in_progress(connect: Connect) -> None:
    reader, writer = await connect()
    writer.write(PREDICT)
    assert await answer(reader) == (200, b"BODY")
    writer.write(POST.replace(b"body", b"slow"))
    await asyncio.sleep(0.01)
    writer.write(PREDICT)
    assert await answer(reader) == (200, b"slow")
    status, body = await answer(reader)
    assert (status, body.lower()) == (
        200,
        b"body",
    )  # answered by the fast path or by the application
    writer.close()


async def test_the_body_of_a_refused_request_is_not_taken_for_a_request(
    connect: Connect, admission_control: FakeAdmissionControl
) -> None:
    reader, writer = await connect()
    writer.write(PREDICT)
    assert await answer(reader) == (200, b"BODY")
    admission_control.is_open = False
    writer.write(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(PREDICT))
    assert await answer(reader) == (503, b"closed")
    admission_control.is_open = True
    writer.write(PREDICT)
    await asyncio.sleep(0.01)
    writer.write(POST)
    assert await answer(reader) == (200, b"body")
    writer.close()


async def test_a_head_is_not_cached_for_the_next_request_in_the_same_data(
    connect: Connect, admission_control: FakeAdmissionControl, fast_path: ImmediateFastPath
) -> None:
    admission_control.is_open = False
    reader, writer = await connect()
    writer.write(PREDICT + PREDICT.replace(b"seen=true", b"seen=none"))
    assert [await answer(reader) for _ in range(2)] == [(503, b"closed")] * 2
    admission_control.is_open = True
    writer.write(PREDICT)
    assert await answer(reader) == (200, b"BODY")
    assert [scope["query_string"] for scope in fast_path.scopes] == [b"seen=true"]
    writer.close()


async def test_responses_do_not_depend_on_how_requests_are_split(connect: Connect) -> None:
    chance = random.Random(5)  # noqa: S311 - not a secret
    longer = PREDICT.replace(b"Length: 4", b"Length: 6") + b"!!"
    folded = PREDICT.replace(b"Host: x", b"Host: x\r\nA:\r\n b")
    kinds = [(PREDICT, b"BODY"), (DECLINED, b"no.."), (POST, b"body"), (longer, b"BODY!!"), (folded, b"BODY")]
    for _ in range(10):
        reader, writer = await connect()
        for _ in range(30):
            request, expected = chance.choice(kinds)
            cut = chance.choice([len(request), len(request), chance.randrange(1, len(request)), len(request) - 4])
            writer.write(request[:cut])
            await asyncio.sleep(chance.choice([0, 0.001]))
            writer.write(request[cut:])
            status, body = await answer(reader)
            assert (status, body) == (200, expected) or (request is folded and status == 400)
            if status == 400:
                break
        writer.close()
