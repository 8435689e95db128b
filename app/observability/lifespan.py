"""Creates metrics, request log and tracing from the settings, and runs them during the application's lifespan."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import structlog

from app.observability.log_setup import LineWriter
from app.observability.metrics import ServiceMetrics
from app.observability.observers import PictureObserver
from app.observability.request_log import RequestLog
from app.settings import Settings

if TYPE_CHECKING:
    from app.observability.tracing import Tracing


class Observability:
    """The metrics, request log and tracing of one application."""

    def __init__(self, settings: Settings, log_writer: LineWriter | None) -> None:
        """Take the settings, and the log's writer if this process has configured logging."""
        self._endpoint = settings.traces_endpoint
        self._log_writer = log_writer
        self.metrics = ServiceMetrics()
        self.tracing = None if self._endpoint is None else _create_tracing()
        log = structlog.get_logger().bind()  # bound once: binding takes longer than the rest of a log entry
        self.request_log = RequestLog(
            self.metrics,
            log,
            access_log=settings.access_log,
            current_trace=None if self.tracing is None else self.tracing.current_trace,
        )

    @property
    def picture_observer(self) -> PictureObserver:
        """The metrics; with tracing enabled, the metrics and the traces."""
        return self.metrics if self.tracing is None else self.tracing.combined_with(self.metrics)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Buffer log lines, flush metrics and export traces until the context ends."""
        async with AsyncExitStack() as stack:
            if self._log_writer is not None:
                await stack.enter_async_context(self._log_writer.buffered())
            await stack.enter_async_context(self.metrics)
            if self.tracing is not None and self._endpoint is not None:
                await stack.enter_async_context(self.tracing.exporting(self._endpoint))
            yield


def _create_tracing() -> "Tracing":
    from app.observability.tracing import Tracing  # noqa: PLC0415 - its packages are optional

    return Tracing()
