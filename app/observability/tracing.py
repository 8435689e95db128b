"""Sends spans of the stages of a request to an OpenTelemetry collector. Knows nothing of what happens in a stage.

The framework makes the span of the request itself, and takes up the trace that its sender began. A stage has been timed
already when this is told of it; it becomes a span that ends now, below that of its request.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from app.observability.observers import PreprocessingObserver
from app.observability.request_log import kind_of
from imaging import __version__


class Tracing:
    """The spans of one application, from the framework's to those of the stages."""

    def __init__(self) -> None:
        named = Resource.create({SERVICE_NAME: "digitserve", SERVICE_VERSION: __version__})
        resource = named.merge(OTELResourceDetector().detect())  # what OTEL_SERVICE_NAME says goes before
        self.provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._tracer = self.provider.get_tracer("digitserve", __version__)

    @asynccontextmanager
    async def exporting(self, endpoint: str) -> AsyncIterator[None]:
        """Send the spans to a collector, in a thread, a few seconds late; at the end, send the rest.

        Args:
            endpoint: the collector's address for OTLP over HTTP, without a signal's path.

        """
        exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
        self.provider.add_span_processor(BatchSpanProcessor(exporter))
        try:
            yield
        finally:
            await asyncio.to_thread(self.provider.shutdown)

    def beside(self, observer: PreprocessingObserver) -> PreprocessingObserver:
        """Give an observer that tells another one, and this."""
        return _Both(observer, self)

    def sender(self) -> Context:
        """Remember on whose behalf the caller runs, for `ran`."""
        return context.get_current()

    def read(self, seconds: float) -> None:
        """Note that the caller's picture has been read."""
        end = time.time_ns()
        self._note("read", context.get_current(), end - _nanoseconds(seconds), end)

    def answered(self, scope: Mapping[str, Any], request_id: str) -> None:
        """Name the request's span by its method and route, and add its id."""
        method, route = kind_of(scope)
        span = trace.get_current_span()
        span.update_name(f"{method} {route}")
        span.set_attributes({"http.route": route, "digitserve.request_id": request_id})

    def ran(self, waits: Iterable[tuple[object, float]], images: int, seconds: float) -> None:
        """Note that a batch has run.

        Args:
            waits: of each job in it, the sender and how many seconds it waited for the batch to begin.
            images: in the batch.
            seconds: that the engine took.

        """
        end = time.time_ns()
        began = end - _nanoseconds(seconds)
        for sender, waited in waits:
            if isinstance(sender, Context):
                self._note("queue", sender, began - _nanoseconds(waited), began)
                self._note("inference", sender, began, end, images=images)

    def _note(self, stage: str, parent: Context, start: int, end: int, **attributes: int) -> None:
        self._tracer.start_span(stage, parent, attributes=attributes, start_time=start).end(end)


class _Both:
    """Tells both an observer and the tracing how long the reading of a picture took."""

    def __init__(self, observer: PreprocessingObserver, tracing: Tracing) -> None:
        self._observer = observer
        self._tracing = tracing

    def read(self, seconds: float) -> None:
        self._observer.read(seconds)
        self._tracing.read(seconds)


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1e9)
