"""How connections end: idle, reset, or with requests under way."""

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
    serving,
    until,
    watch_writes,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def admission_control() -> FakeAdmissionControl:
    return FakeAdmissionControl()


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    return watch_writes(monkeypatch)


@pytest.fixture
async def connect(admission_control: FakeAdmissionControl) -> AsyncIterator[Connect]:
    async with serving(admission_control, FakeFastPath()) as connect:
        yield connect


async def test_a_connection_is_not_closed_for_being_idle_when_a_request_is_there(
    connect: Connect, admission_control: FakeAdmissionControl
) -> None:
    admission_control.is_open = True
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
    connect: Connect, admission_control: FakeAdmissionControl, writes: list[bytes]
) -> None:
    admission_control.is_open = True
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


async def test_nobody_waits_for_a_connection_that_was_reset(
    connect: Connect, admission_control: FakeAdmissionControl
) -> None:
    admission_control.is_open = True
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
