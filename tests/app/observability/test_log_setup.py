import io
import json
import subprocess
import sys
import threading
from pathlib import Path
from select import PIPE_BUF

import anyio
import pytest

from app.observability import log_setup
from app.observability.log_setup import LineWriter

PROGRAM = """
import logging, os, structlog, warnings
from app.observability.log_setup import configure_logging, native_messages_logged
configure_logging()
log = structlog.get_logger()
log.info("request", status=200, exc_info=None)
logging.getLogger("library").warning("said %s", "so")
log.debug("nothing")
log.warning("odd", name="\\udcff", number=1 << 70)
warnings.warn("deprecated")
warnings.warn_explicit("of a picture", UserWarning, "PIL/TiffImagePlugin.py", 1, module="PIL.TiffImagePlugin")
with native_messages_logged():
    os.write(2, b"said by a library\\n\\xff" + b"." * 10_000)
try:
    1 / 0
except ZeroDivisionError as error:
    log.error("request", status=500, exc_info=error)
    log.exception("again", odd={1})
"""

BUFFERED_PROGRAM = """
import asyncio, structlog
from app.observability.log_setup import configure_logging

async def work(writer):
    async with writer.buffered():
        structlog.get_logger().info("buffered")
        BODY

asyncio.run(work(configure_logging()))
"""


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )


class Stream(io.BytesIO):
    """Records each write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.written = threading.Event()

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.writes.append(data)
        self.written.set()
        return len(data)


def test_each_event_of_the_service_and_of_libraries_is_one_line_of_json() -> None:
    printed = run(PROGRAM)
    assert printed.stderr == ""
    lines = {(line["event"], line["level"]): line for line in map(json.loads, printed.stdout.splitlines())}
    warned = next(event for event, _ in lines if "UserWarning: deprecated" in event)
    assert list(lines) == [
        ("request", "info"),
        ("said so", "warning"),
        ("odd", "warning"),
        (warned, "warning"),
        ("library message", "warning"),
        ("request", "error"),
        ("again", "error"),
    ]
    assert (lines["odd", "warning"]["name"], lines["odd", "warning"]["number"]) == ("\udcff", 1 << 70)
    assert lines["library message", "warning"]["text"].startswith("said by a library\n\ufffd...")
    assert len(lines["library message", "warning"]["text"]) <= 2_000
    assert lines["request", "info"].keys() == {"timestamp", "level", "status", "event"}
    assert lines["request", "info"]["status"] == 200
    assert "ZeroDivisionError" in lines["request", "error"]["exception"]
    assert "ZeroDivisionError" in lines["again", "error"]["exception"]
    assert lines["again", "error"]["odd"] == "{1}"
    assert all(line["timestamp"].endswith("Z") for line in lines.values())


@pytest.mark.parametrize("body", ["pass", "raise LookupError", "raise SystemExit", "raise KeyboardInterrupt"])
def test_buffered_lines_are_written_however_the_process_ends(body: str) -> None:
    printed = run(BUFFERED_PROGRAM.replace("BODY", body))
    assert json.loads(printed.stdout)["event"] == "buffered"


def test_a_line_is_written_at_once_without_buffering() -> None:
    stream = Stream()
    LineWriter(stream).write(b"first\n", urgent=False)
    assert stream.writes == [b"first\n"]


@pytest.mark.anyio
async def test_an_urgent_line_flushes_the_lines_before_it() -> None:
    stream = Stream()
    writer = LineWriter(stream)
    async with writer.buffered():
        writer.write(b"first\n", urgent=False)
        assert stream.writes == []
        writer.write(b"second\n")
        assert stream.writes == [b"first\nsecond\n"]
        writer.write(b"third\n", urgent=False)
    assert stream.writes[1:] == [b"third\n"]


@pytest.mark.anyio
async def test_buffered_lines_are_written_in_order_in_writes_that_are_atomic_on_a_pipe() -> None:
    stream = Stream()
    writer = LineWriter(stream)
    written = [b"%d " % number + b"x" * 97 + b"\n" for number in range(1000)] + [b"y" * 2 * PIPE_BUF + b"\n", b"z\n"]
    async with writer.buffered():
        for line in written:
            writer.write(line, urgent=False)
    assert b"".join(stream.writes) == b"".join(written)
    assert len(stream.writes) < len(written) / 30
    assert all(len(chunk) <= PIPE_BUF for chunk in stream.writes if b"y" not in chunk)


@pytest.mark.anyio
async def test_a_buffered_line_is_written_after_the_maximum_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_setup, "MAX_DELAY_SECONDS", 0.001)
    stream = Stream()
    writer = LineWriter(stream)
    async with writer.buffered():
        writer.write(b"alone\n", urgent=False)
        assert await anyio.to_thread.run_sync(stream.written.wait, 10)
        assert stream.writes == [b"alone\n"]


def test_lines_of_several_threads_stay_whole() -> None:
    stream = Stream()
    writer = LineWriter(stream)
    writer._is_buffering = True
    threads = [
        threading.Thread(target=lambda: [writer.write(b"whole line\n", urgent=False) for _ in range(5000)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.flush()
    assert b"".join(stream.writes) == b"whole line\n" * 20_000


def test_a_full_disk_raises_no_error() -> None:
    with Path("/dev/full").open("wb", buffering=0) as disk:
        writer = LineWriter(disk)
        for _ in range(3):
            writer.write(b"line\n")


def test_a_process_without_standard_error_captures_nothing() -> None:
    printed = run("""
import os, sys
from app.observability.log_setup import native_messages_logged
sys.__stderr__ = None
os.close(2)
with native_messages_logged():
    print("done")
""")
    assert (printed.stdout, printed.returncode) == ("done\n", 0)
