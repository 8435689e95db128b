import asyncio
import subprocess
import sys
import threading
import time

import pytest

from app.model_repository.daemon_thread import DaemonThread

pytestmark = pytest.mark.anyio

STUCK = """
import asyncio, threading
from app.model_repository.daemon_thread import DaemonThread

async def main():
    thread = DaemonThread("stuck")
    try:
        await asyncio.wait_for(thread.run(threading.Event().wait), 0.05)
    except TimeoutError:
        await thread.close(seconds=0.05)

asyncio.run(main())
"""


async def test_work_is_done_in_order_and_its_errors_are_handed_on() -> None:
    prepared: list[str] = []
    thread = DaemonThread("worker", prepare=lambda: prepared.append(threading.current_thread().name))
    done: list[int] = []
    await asyncio.gather(*(thread.run(lambda number=number: done.append(number)) for number in range(100)))
    assert done == list(range(100))
    assert prepared == ["worker"]
    with pytest.raises(ZeroDivisionError):
        await thread.run(lambda: 1 / 0)
    assert await thread.run(lambda: 7) == 7
    await thread.close(seconds=10)


async def test_it_tells_how_long_it_has_been_busy() -> None:
    thread = DaemonThread("worker")
    assert thread.busy_seconds() == 0
    begun, end = threading.Event(), threading.Event()
    work = asyncio.create_task(thread.run(lambda: (begun.set(), end.wait())))
    assert await asyncio.to_thread(begun.wait, 10)
    assert 0 < thread.busy_seconds() < 10
    end.set()
    await work
    assert thread.busy_seconds() == 0
    await thread.close(seconds=10)


async def test_work_that_nobody_waits_for_any_more_is_not_begun() -> None:
    thread = DaemonThread("worker")
    end = threading.Event()
    first = asyncio.create_task(thread.run(end.wait))
    done: list[str] = []
    second = asyncio.create_task(thread.run(lambda: done.append("second")))
    await asyncio.sleep(0)
    second.cancel()
    end.set()
    await first
    await thread.run(lambda: done.append("third"))
    assert done == ["third"]
    await thread.close(seconds=10)


def test_a_process_ends_without_waiting_for_it() -> None:
    started = time.monotonic()
    printed = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", STUCK], capture_output=True, timeout=30, check=True
    )
    assert (printed.stdout, printed.stderr) == (b"", b"")
    assert time.monotonic() - started < 10
