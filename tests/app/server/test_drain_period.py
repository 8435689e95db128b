import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

import pytest

from app.server.drain_period import drain_period

pytestmark = pytest.mark.anyio


@pytest.fixture
def received() -> Iterator[list[int]]:
    """Return the list of the signals that reach the handler of the server."""
    signals: list[int] = []

    def handle(number: int, _: FrameType | None) -> None:
        signals.append(number)

    before = signal.signal(signal.SIGTERM, handle)
    yield signals
    assert signal.signal(signal.SIGTERM, before) is handle


async def test_the_server_receives_the_signal_after_the_period(received: list[int]) -> None:
    stopping = threading.Event()
    with drain_period(0.05, stopping.set):
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0.01)
        assert stopping.is_set()
        assert received == []
        async with asyncio.timeout(10):
            while not received:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    assert received == [signal.SIGTERM]


async def test_the_server_receives_a_second_signal_at_once(received: list[int]) -> None:
    with drain_period(600, lambda: None):
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(0.01)
        assert received == [signal.SIGTERM]


async def test_without_a_period_the_server_receives_the_signal_at_once(received: list[int]) -> None:
    with drain_period(0, pytest.fail):
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0.01)
    assert received == [signal.SIGTERM]


async def test_another_thread_sets_no_handler(received: list[int]) -> None:
    def run() -> None:
        with drain_period(600, lambda: None):
            pass

    await asyncio.to_thread(run)
    assert received == []
