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


async def test_calls_run_in_order_and_their_errors_reach_the_caller() -> None:
    initialized: list[str] = []
    thread = DaemonThread("worker", initializer=lambda: initialized.append(threading.current_thread().name))
    done: list[int] = []
    await asyncio.gather(*(thread.run(lambda number=number: done.append(number)) for number in range(100)))
    assert done == list(range(100))
    assert initialized == ["worker"]
    with pytest.raises(ZeroDivisionError):
        await thread.run(lambda: 1 / 0)
    assert await thread.run(lambda: 7) == 7
    await thread.close(seconds=10)


async def test_busy_seconds_is_the_time_of_the_current_call() -> None:
    thread = DaemonThread("worker")
    assert thread.busy_seconds() == 0
    begun, end = threading.Event(), threading.Event()
    call = asyncio.create_task(thread.run(lambda: (begun.set(), end.wait())))
    assert await asyncio.to_thread(begun.wait, 10)
    assert 0 < thread.busy_seconds() < 10
    end.set()
    await call
    assert thread.busy_seconds() == 0
    await thread.close(seconds=10)


async def test_a_call_whose_caller_was_cancelled_is_not_made() -> None:
    thread = DaemonThread("worker")
    end = threading.Event()
    first = asyncio.create_task(thread.run(end.wait))
    done: list[str] = []
    second = asyncio.create_task(thread.run(lambda: done.append("second")))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.wait([second])
    end.set()
    await first
    await thread.run(lambda: done.append("third"))
    assert done == ["third"]
    await thread.close(seconds=10)


def test_a_process_ends_without_waiting_for_the_thread() -> None:
    started = time.monotonic()
    printed = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", STUCK], capture_output=True, timeout=30, check=True
    )
    assert (printed.stdout, printed.stderr) == (b"", b"")
    assert time.monotonic() - started < 10
