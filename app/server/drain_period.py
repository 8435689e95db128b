"""The time between SIGTERM and the end of the service, in which it reports that it is not ready, and still answers.

A load balancer needs this time to notice, and to send no more requests.
"""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import structlog


@contextmanager
def drain_period(seconds: float, report_stopping: Callable[[], None]) -> Iterator[None]:
    """Delay the effect of the first SIGTERM by `seconds`, and call `report_stopping` at once.

    A second SIGTERM, and every other signal, has its usual effect. Signals reach only the main thread: in another
    thread, nothing changes.
    """
    stop = signal.getsignal(signal.SIGTERM)
    if not seconds or not callable(stop) or threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()

    def start(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, stop)
        report_stopping()
        structlog.get_logger().info("draining", seconds=seconds)
        loop.call_soon_threadsafe(loop.call_later, seconds, stop, number, frame)

    signal.signal(signal.SIGTERM, start)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, stop)
