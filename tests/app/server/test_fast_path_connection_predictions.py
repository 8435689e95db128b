"""Small predictions, which the protocol hands to the fast_path way: what it takes, what it declines, who leaves."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.app.server.echo_server import (
    POST,
    PREDICT,
    Connect,
    FakeAdmissionControl,
    FakeFastPath,
    answer,
    only_connection,
    serving,
    until,
    watch_writes,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def admission_control() -> FakeAdmissionControl:
    return FakeAdmissionControl()


@pytest.fixture
def fast_path() -> FakeFastPath:
    return FakeFastPath()


@pytest.fixture
def left() -> list[str]:
    """Give the paths of requests whose sender has left before they had come in whole."""
    return []


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    return watch_writes(monkeypatch)


@pytest.fixture
async def connect(
    admission_control: FakeAdmissionControl, fast_path: FakeFastPath, left: list[str]
) -> AsyncIterator[Connect]:
    async with serving(admission_control, fast_path, left) as connect:
        yield connect


async def test_a_small_prediction_is_answered_without_a_task(
    connect: Connect, admission_control: FakeAdmissionControl, fast_path: FakeFastPath
) -> None:
    admission_control.is_open = True
    reader, writer = await connect()
    for pieces in ([PREDICT], [PREDICT[:30], PREDICT[30:-2], PREDICT[-2:]]):
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0.01)
        await fast_path.wait_for()
        scope, body, _ = fast_path.submitted[0]
        assert (scope["path"], scope["query_string"], body) == ("/predict", b"seen=true", b"body")
        assert not only_connection().tasks
        await fast_path.answer()
        assert await answer(reader) == (200, b"BODY")
    writer.close()


@pytest.mark.parametrize("cut", [0, 20, -2])
async def test_what_is_declined_goes_the_usual_way(
    connect: Connect, admission_control: FakeAdmissionControl, fast_path: FakeFastPath, cut: int
) -> None:
    admission_control.is_open = True
    reader, writer = await connect()
    declined = PREDICT.replace(b"body", b"no..")
    for _ in range(2):
        writer.write(declined[:cut])
        await asyncio.sleep(0.01)
        writer.write(declined[cut:] + PREDICT)
        assert await answer(reader) == (200, b"no..")
        assert await answer(reader) == (200, b"body")  # which came while that was under way
    assert fast_path.submitted == []
    writer.close()


async def test_what_comes_behind_one_that_is_under_way_is_answered_after_it(
    connect: Connect, admission_control: FakeAdmissionControl, fast_path: FakeFastPath
) -> None:
    admission_control.is_open = True
    reader, writer = await connect()
    writer.write(PREDICT + POST.replace(b"body", b"next"))
    await fast_path.wait_for()
    writer.write(POST.replace(b"body", b"last"))
    await asyncio.sleep(0.02)
    await fast_path.answer()
    assert [await answer(reader) for _ in range(3)] == [(200, b"BODY"), (200, b"next"), (200, b"last")]
    writer.close()


async def test_who_leaves_before_the_answer_is_forgotten(
    connect: Connect, admission_control: FakeAdmissionControl, fast_path: FakeFastPath
) -> None:
    admission_control.is_open = True
    _, gone = await connect()
    gone.write(PREDICT)
    await fast_path.wait_for()
    gone.transport.abort()
    await until(lambda: fast_path.cancelled)
    await fast_path.answer()  # which goes nowhere
    reader, writer = await connect()
    writer.write(PREDICT)
    await fast_path.answer()
    assert await answer(reader) == (200, b"BODY")
    assert fast_path.cancelled == 1
    writer.close()


async def test_the_application_is_told_of_who_leaves_before_the_body_has_come(
    connect: Connect, admission_control: FakeAdmissionControl, fast_path: FakeFastPath, left: list[str]
) -> None:
    admission_control.is_open = True
    _, gone = await connect()
    gone.write(PREDICT.removesuffix(b"dy"))
    await until(lambda: admission_control.asked)
    gone.transport.abort()
    await until(lambda: left)
    assert left == ["/predict"]
    assert fast_path.submitted == []


async def test_a_stop_answers_what_is_under_way_and_closes(
    connect: Connect, admission_control: FakeAdmissionControl, fast_path: FakeFastPath
) -> None:
    admission_control.is_open = True
    for body in (b"body", b"no.."):
        reader, writer = await connect()
        request = PREDICT.replace(b"body", body)
        admission_control.asked.clear()
        writer.write(request[:-1])
        await until(lambda: admission_control.asked)
        only_connection().shutdown()
        writer.write(request[-1:])
        if body == b"body":
            await fast_path.answer()
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        assert b"\r\nconnection: close\r\n" in head
        assert await reader.read() == (b"BODY" if body == b"body" else body)
        writer.close()


async def test_an_answer_is_one_write(
    connect: Connect, admission_control: FakeAdmissionControl, fast_path: FakeFastPath, writes: list[bytes]
) -> None:
    admission_control.is_open = True
    reader, writer = await connect()
    for _ in range(2):
        writer.write(PREDICT)
        await fast_path.answer()
        assert await answer(reader) == (200, b"BODY")
    writer.close()
    assert [(write.startswith(b"HTTP/1.1 200"), write.endswith(b"BODY")) for write in writes] == [(True, True)] * 2
