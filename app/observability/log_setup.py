"""Configures logging: each event is one line of JSON on standard output. Includes the log messages of libraries."""

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
from opentelemetry import trace

MAX_DELAY_SECONDS = 0.1
"""How long a buffered line may wait to be written."""
_STDERR_FD = 2
_MAX_CAPTURED_BYTES = 2_000
_capture_lock = Lock()  # the process has one descriptor of standard error
_JSON_OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z


class LineWriter:
    """Writes lines to a stream: each immediately, or several together while buffering is on.

    Writing each request's line alone would take a tenth of the time of a fast-path request. A write of several lines
    has at most PIPE_BUF bytes, which a pipe takes atomically, so lines of several processes do not mix. Thread-safe.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = Lock()
        self._buffer: list[bytes] = []
        self._buffered_bytes = 0
        self._is_buffering = False

    def write(self, line: bytes, *, urgent: bool = True) -> None:
        """Write a line. While buffering is on, a line that is not urgent is written later."""
        with self._lock:
            if self._buffered_bytes + len(line) > PIPE_BUF:
                self._flush()
            self._buffer.append(line)
            self._buffered_bytes += len(line)
            if urgent or not self._is_buffering:
                self._flush()

    def flush(self) -> None:
        """Write all buffered lines."""
        with self._lock:
            self._flush()

    def _flush(self) -> None:
        if not self._buffer:
            return
        lines, self._buffer, self._buffered_bytes = b"".join(self._buffer), [], 0
        with suppress(OSError):  # a full disk or a closed pipe: the service goes on without its log
            self._stream.write(lines)
            self._stream.flush()

    @asynccontextmanager
    async def buffered(self) -> AsyncIterator[None]:
        """Buffer lines that are not urgent, each for at most `MAX_DELAY_SECONDS`, until the context ends."""
        self._is_buffering = True
        flush_task = asyncio.create_task(self._flush_regularly())
        try:
            yield
        finally:
            self._is_buffering = False
            flush_task.cancel()
            with suppress(asyncio.CancelledError):
                await flush_task
            self.flush()

    async def _flush_regularly(self) -> None:
        while True:
            await asyncio.sleep(MAX_DELAY_SECONDS)
            self.flush()


class _StructlogOutput:
    """The logger that structlog writes to. Warnings and errors are urgent."""

    def __init__(self, writer: LineWriter) -> None:
        self._writer = writer

    def info(self, line: bytes) -> None:
        self._writer.write(line, urgent=False)

    def warning(self, line: bytes) -> None:
        self._writer.write(line)

    error = critical = warning


class _StandardLoggingStream:
    """The stream of the standard library's logging, which flushes it when the process ends."""

    def __init__(self, writer: LineWriter) -> None:
        self._writer = writer

    def write(self, text: str) -> None:
        self._writer.write(text.encode())

    def flush(self) -> None:
        self._writer.flush()


def configure_logging() -> LineWriter:
    """Configure structlog and the standard library's logging to write the same format; return the writer.

    Lines that are written during a traced request have the ids of its trace and span.
    """
    writer = LineWriter(sys.stdout.buffer)
    logger = _StructlogOutput(writer)
    structlog.configure(
        processors=[_render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: logger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(_StandardLoggingStream(writer))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.add_log_level,
                _add_trace_ids,
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
    # Pillow warns about unusual pictures. Clients could fill the log with warnings, and Python keeps every message.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
    return writer


@contextmanager
def native_messages_logged() -> Iterator[None]:
    """Log what native libraries write to the file descriptor of standard error, until the context ends.

    The descriptor belongs to the whole process: output of other threads is logged too.
    """
    if sys.__stderr__ is None:  # the process has no standard error: descriptor 2 may be any file
        yield
        return
    with _capture_lock, tempfile.TemporaryFile() as captured:
        saved = os.dup(_STDERR_FD)
        os.dup2(captured.fileno(), _STDERR_FD)
        try:
            yield
        finally:
            os.dup2(saved, _STDERR_FD)
            os.close(saved)
            captured.seek(0)
            if message := captured.read(_MAX_CAPTURED_BYTES):
                structlog.get_logger().warning("library message", text=message.decode(errors="replace"))


def _add_trace_ids(_logger: object, _level: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Add the ids of the current trace and span, if there are any, named as in the log format of OpenTelemetry."""
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        event["trace_id"] = trace.format_trace_id(span.trace_id)
        event["span_id"] = trace.format_span_id(span.span_id)
    return event


def _render(logger: object, level: str, event: structlog.typing.EventDict) -> bytes:
    """Render an event as a line of JSON, in one function: structlog's own processors take twice as long."""
    exception = event.pop("exc_info", None)
    fields: Mapping[str, object] = {
        "timestamp": datetime.now(UTC),
        "level": level,
        **_add_trace_ids(logger, level, event),
    }
    if exception:
        fields = structlog.processors.format_exc_info(logger, level, {**fields, "exc_info": exception})
    try:
        return orjson.dumps(fields, default=repr, option=_JSON_OPTIONS)
    except TypeError:  # text that is not valid Unicode, such as a file name, or an integer of more than 64 bits
        return (
            json.dumps({**fields, "timestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"}, default=repr).encode()
            + b"\n"
        )
