"""How the service logs: one line of JSON for each event, on standard output, the libraries' messages included."""

import asyncio
import json
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from select import PIPE_BUF
from threading import Lock
from typing import BinaryIO

import orjson
import structlog

HOLD_SECONDS = 0.1

_STANDARD_ERROR = 2  # the file descriptor
_MOST_CAUGHT = 2_000  # bytes
_catching = Lock()  # there is one such descriptor
_FORMAT = orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z


class Lines:
    """Writes lines to a stream: each at once, or, while it may hold them back, several together.

    Writing a line for each request alone would take a tenth of the time that a small picture takes. No write is longer
    than what a pipe takes whole (unless a line is), so that the lines of several processes do not mix.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = Lock()
        self._held: list[bytes] = []
        self._bytes = 0
        self._may_hold = False

    def write(self, line: bytes, *, urgent: bool = True) -> None:
        """Write a line, or hold it back for a moment if it is not urgent."""
        with self._lock:
            if self._bytes + len(line) > PIPE_BUF:
                self._flush()
            self._held.append(line)
            self._bytes += len(line)
            if urgent or not self._may_hold:
                self._flush()

    def flush(self) -> None:
        """Write what has been held back."""
        with self._lock:
            self._flush()

    def _flush(self) -> None:
        if not self._held:
            return
        lines, self._held, self._bytes = b"".join(self._held), [], 0
        with suppress(OSError):  # a full disk or a reader that has gone: the service does without its log
            self._stream.write(lines)
            self._stream.flush()

    @asynccontextmanager
    async def held_back(self) -> AsyncIterator[None]:
        """Hold back lines that are not urgent, for a tenth of a second at most, until the context ends."""
        self._may_hold = True
        flushing = asyncio.create_task(self._flush_regularly())
        try:
            yield
        finally:
            self._may_hold = False
            flushing.cancel()
            with suppress(asyncio.CancelledError):
                await flushing
            self.flush()

    async def _flush_regularly(self) -> None:
        while True:
            await asyncio.sleep(HOLD_SECONDS)
            self.flush()


class _Events:
    """Where structlog hands its lines: problems are urgent."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def info(self, line: bytes) -> None:
        self._lines.write(line, urgent=False)

    def warning(self, line: bytes) -> None:
        self._lines.write(line)

    error = critical = warning


class _Text:
    """Where the standard logging writes; at the end of the process it flushes."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def write(self, text: str) -> None:
        self._lines.write(text.encode())

    def flush(self) -> None:
        self._lines.flush()


def configure_logging() -> Lines:
    """Set up structlog, and the standard logging that libraries use, to write the same lines; return where to."""
    lines = Lines(sys.stdout.buffer)
    events = _Events(lines)
    structlog.configure(
        processors=[_render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: events,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(_Text(lines))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.add_log_level,
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    logging.captureWarnings(capture=True)
    # What Pillow finds odd about a picture would let whoever sends it fill the log, and Python remember each message.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
    return lines


@contextmanager
def native_messages_logged() -> Iterator[None]:
    """Log what native libraries write to the file descriptor of standard error until the context ends.

    It belongs to the whole process: what other threads write meanwhile is logged too.
    """
    if sys.__stderr__ is None:  # the process was started without it, and the descriptor may be anything
        yield
        return
    with _catching, tempfile.TemporaryFile() as caught:
        kept = os.dup(_STANDARD_ERROR)
        os.dup2(caught.fileno(), _STANDARD_ERROR)
        try:
            yield
        finally:
            os.dup2(kept, _STANDARD_ERROR)
            os.close(kept)
            caught.seek(0)
            if message := caught.read(_MOST_CAUGHT):
                structlog.get_logger().warning("library message", text=message.decode(errors="replace"))


def _render(logger: object, level: str, event: structlog.typing.EventDict) -> bytes:
    """Make a line of an event in one go: structlog's own processors take twice as long."""
    failure = event.pop("exc_info", None)
    fields: Mapping[str, object] = {"timestamp": datetime.now(UTC), "level": level, **event}
    if failure:
        fields = structlog.processors.format_exc_info(logger, level, {**fields, "exc_info": failure})
    try:
        return orjson.dumps(fields, default=repr, option=_FORMAT)
    except TypeError:  # text that is not Unicode, such as the name of a file, or a number of more than 64 bits
        return (
            json.dumps({**fields, "timestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"}, default=repr).encode()
            + b"\n"
        )
