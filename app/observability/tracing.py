"""Exports a span for each stage of a request to an OpenTelemetry collector. Does not know what a stage does.

FastAPI creates the span of the request itself and continues the trace of the client. A stage is reported after it has
ended, and its span becomes a child of the request's span.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager

from opentelemetry import context, propagate, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import format_trace_id

from app.observability.observers import PictureObserver
from imaging import __version__


class Tracing:
    """The tracer of one application. FastAPI uses its provider for the spans of requests."""

    def __init__(self) -> None:
        defaults = Resource.create({SERVICE_NAME: "digitserve", SERVICE_VERSION: __version__})
        resource = defaults.merge(OTELResourceDetector().detect())  # OTEL_SERVICE_NAME takes precedence
        self.provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._tracer = self.provider.get_tracer("digitserve", __version__)

    @asynccontextmanager
    async def exporting(self, endpoint: str) -> AsyncIterator[None]:
        """Export spans in batches, from a thread, until the context ends; then export the rest.

        Args:
            endpoint: the URL to which traces are sent, as OTLP over HTTP.

        """
        self.provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
        try:
            yield
        finally:
            await asyncio.to_thread(self.provider.shutdown)

    def combined_with(self, observer: PictureObserver) -> PictureObserver:
        """Return an observer that reports to `observer` and to this."""
        return _CombinedObserver(observer, self)

    def current_context(self) -> Context:
        """Return the context of the current request, to be passed to `trace_batch`."""
        return context.get_current()

    def trace_stage(self, name: str, seconds: float) -> None:
        """Add the span of a stage, which has just ended, to the current request."""
        end = time.time_ns()
        self._add_span(name, context.get_current(), end - _nanoseconds(seconds), end)

    def add_request_id(self, request_id: str) -> None:
        """Add the id of the current request to the attributes of its span."""
        trace.get_current_span().set_attribute("digitserve.request_id", request_id)

    def current_trace(self) -> str | None:
        """Return the id of the current request's trace, or None if it is not exported."""
        span = trace.get_current_span().get_span_context()
        return format_trace_id(span.trace_id) if span.trace_flags.sampled else None

    @contextmanager
    def trace_call(self, path: str, headers: Iterable[tuple[bytes, bytes]], request_id: str) -> Iterator[None]:
        """Create the span of a gRPC call, which continues the trace of the client, within the context.

        Args:
            path: `/<service>/<method>`.
            headers: the metadata of the call.
            request_id: of the call.

        """
        parent = propagate.extract({name.decode(): value.decode("latin-1") for name, value in headers})
        service, _, method = path[1:].partition("/")
        attributes = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": method}
        with self._tracer.start_as_current_span(
            path[1:],
            parent,
            kind=trace.SpanKind.SERVER,
            attributes={**attributes, "digitserve.request_id": request_id},
            record_exception=False,
        ):
            yield

    def trace_batch(self, waits: Iterable[tuple[object, float]], images: int, seconds: float) -> None:
        """Add the spans of a batch to the requests whose images it contains.

        Args:
            waits: for each job of the batch, the context of its request and the seconds that it waited in the queue.
            images: the number of images in the batch.
            seconds: the time that the engine took.

        """
        end = time.time_ns()
        start = end - _nanoseconds(seconds)
        for parent, waited in waits:
            if isinstance(parent, Context):
                self._add_span("queue", parent, start - _nanoseconds(waited), start)
                self._add_span("inference", parent, start, end, images=images)

    def _add_span(self, name: str, parent: Context, start: int, end: int, **attributes: int) -> None:
        self._tracer.start_span(name, parent, attributes=attributes, start_time=start).end(end)


class _CombinedObserver:
    """Reports to an observer and to the tracing."""

    def __init__(self, observer: PictureObserver, tracing: Tracing) -> None:
        self._observer = observer
        self._tracing = tracing

    def observe_preprocessing(self, seconds: float) -> None:
        self._observer.observe_preprocessing(seconds)
        self._tracing.trace_stage("read", seconds)

    def observe_finding(self, seconds: float) -> None:
        self._observer.observe_finding(seconds)
        self._tracing.trace_stage("find", seconds)


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1e9)
