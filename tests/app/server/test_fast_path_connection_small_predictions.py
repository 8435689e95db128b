"""Small predictions on the fast path: accepted, declined, and cancelled by a disconnect."""

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
    record_writes,
    serving,
    until,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def admission_control() -> FakeAdmissionControl:
    return FakeAdmissionControl()


@pytest.fixture
def fast_path() -> FakeFastPath:
    return FakeFastPath()


@pytest.fixture
def disconnected() -> list[str]:
    """Return the paths of incomplete requests whose client has disconnected."""
    return []


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    return record_writes(monkeypatch)


@pytest.fixture
async def connect(
    admission_control: FakeAdmissionControl, fast_path: FakeFastPath, disconnected: list[str]
) -> AsyncIterator[Connect]:
    async with serving(admission_control, fast_path, disconnected) as connect:
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
async def test_a_declined_request_is_answered_by_the_application(
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
        assert await answer(reader) == (200, b"body")  # which was received while the first was in progress
    assert fast_path.submitted == []
    writer.close()


async def test_requests_after_a_small_prediction_are_answered_after_it(
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


async def test_a_disconnect_cancels_the_prediction(
    connect: Connect, admission_control: FakeAdmissionControl, fast_path: FakeFastPath
) -> None:
    admission_control.is_open = True
    _, client = await connect()
    client.write(PREDICT)
    await fast_path.wait_for()
    client.transport.abort()
    await until(lambda: fast_path.cancelled)
    await fast_path.answer()  # to a closed connection
    reader, writer = await connect()
    writer.write(PREDICT)
    await fast_path.answer()
    assert await answer(reader) == (200, b"BODY")
    assert fast_path.cancelled == 1
    writer.close()


async def test_the_application_sees_a_disconnect_before_the_end_of_the_body(
    connect: Connect, admission_control: FakeAdmissionControl, fast_path: FakeFastPath, disconnected: list[str]
) -> None:
    admission_control.is_open = True
    _, client = await connect()
    client.write(PREDICT.removesuffix(b"dy"))
    await until(lambda: admission_control.paths)
    client.transport.abort()
    await until(lambda: disconnected)
    assert disconnected == ["/predict"]
    assert fast_path.submitted == []


async def test_a_shutdown_answers_the_request_in_progress_and_closes_the_connection(
    connect: Connect, admission_control: FakeAdmissionControl, fast_path: FakeFastPath
) -> None:
    admission_control.is_open = True
    for body in (b"body", b"no.."):
        reader, writer = await connect()
        request = PREDICT.replace(b"body", body)
        admission_control.paths.clear()
        writer.write(request[:-1])
        await until(lambda: admission_control.paths)
        only_connection().shutdown()
        writer.write(request[-1:])
        if body == b"body":
            await fast_path.answer()
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        assert b"\r\nconnection: close\r\n" in head
        assert await reader.read() == (b"BODY" if body == b"body" else body)
        writer.close()


async def test_a_response_is_one_write(
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
