"""How connections end: idle, reset, or with requests in progress."""

import asyncio
import os
import socket
import struct
from collections.abc import AsyncIterator

import anyio
import pytest

from tests.app.server.echo_server import (
    POST,
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
def writes(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    return record_writes(monkeypatch)


@pytest.fixture
async def connect(admission_control: FakeAdmissionControl) -> AsyncIterator[Connect]:
    async with serving(admission_control, FakeFastPath()) as connect:
        yield connect


async def test_an_idle_connection_with_unread_data_is_not_closed(
    connect: Connect, admission_control: FakeAdmissionControl
) -> None:
    admission_control.is_open = True
    reader, writer = await connect()
    writer.write(POST)
    assert await answer(reader) == (200, b"body")
    connection = only_connection()
    client = writer.get_extra_info("socket")
    os.write(client.fileno(), POST)  # not by the event loop, which would read it before it runs the timer
    connection.timeout_keep_alive_handler()
    assert await answer(reader) == (200, b"body")
    connection.timeout_keep_alive_handler()
    assert os.read(client.fileno(), 1) == b""  # immediately, before the end of the iteration of the event loop
    assert await reader.read() == b""
    writer.close()


async def test_nothing_is_written_to_a_lost_connection_with_two_requests_in_progress(
    connect: Connect, admission_control: FakeAdmissionControl, writes: list[bytes]
) -> None:
    admission_control.is_open = True
    reader, writer = await connect()
    writer.write(POST + POST.replace(b"body", b"slow") + POST)
    assert await answer(reader) == (200, b"body")
    writes.clear()
    connection = only_connection()
    tasks = set(connection.tasks)
    assert len(tasks) == 1
    connection.connection_lost(ConnectionResetError())  # a real reset would be noticed at an unknown time
    with anyio.fail_after(10):
        await asyncio.wait(tasks)
    assert writes == []
    writer.close()


async def test_a_reset_connection_has_no_keep_alive_timer(
    connect: Connect, admission_control: FakeAdmissionControl
) -> None:
    admission_control.is_open = True
    reader, writer = await connect()
    writer.write(POST)
    assert await answer(reader) == (200, b"body")
    connection = only_connection()
    assert connection.timeout_keep_alive_task is not None
    client = writer.get_extra_info("socket")
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    await until(lambda: connection not in connection.connections)
    assert connection.timeout_keep_alive_task is None
