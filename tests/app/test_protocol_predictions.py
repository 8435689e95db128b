"""Small predictions, which the protocol hands to the express way: what it takes, what it declines, who leaves."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.app.connection import (
    POST,
    PREDICT,
    Connect,
    Door,
    Express,
    answer,
    only_connection,
    serving,
    until,
    watch_writes,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
def express() -> Express:
    return Express()


@pytest.fixture
def left() -> list[str]:
    """Give the paths of requests whose sender has left before they had come in whole."""
    return []


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    return watch_writes(monkeypatch)


@pytest.fixture
async def connect(door: Door, express: Express, left: list[str]) -> AsyncIterator[Connect]:
    async with serving(door, express, left) as connect:
        yield connect


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


async def test_an_answer_is_one_write(connect: Connect, door: Door, express: Express, writes: list[bytes]) -> None:
    door.is_open = True
    reader, writer = await connect()
    for _ in range(2):
        writer.write(PREDICT)
        await express.answer()
        assert await answer(reader) == (200, b"BODY")
    writer.close()
    assert [(write.startswith(b"HTTP/1.1 200"), write.endswith(b"BODY")) for write in writes] == [(True, True)] * 2
