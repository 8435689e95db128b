"""The spans as a collector receives them: OTLP over HTTP, in protobuf."""

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from app.observability.tracing import Tracing
from tests.app.service import service
from tests.conftest import Serve

pytestmark = pytest.mark.anyio

CLIENT_TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{CLIENT_TRACE}-b7ad6b7169203331-01"


class Collector(ThreadingHTTPServer):
    """A collector that keeps all exports, by the path to which they were sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.exports: list[ExportTraceServiceRequest] = []
        self.paths: set[str] = set()
        self.headers: list[Message] = []

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def spans(self) -> list[Span]:
        return [
            span
            for export in self.exports
            for resource in export.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        assert self.headers["content-type"] == "application/x-protobuf"
        self.server.paths.add(self.path)
        self.server.headers.append(self.headers)
        self.server.exports.append(ExportTraceServiceRequest.FromString(body))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        pass


@contextmanager
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def attributes(span: Span) -> dict[str, object]:
    values = {attribute.key: attribute.value for attribute in span.attributes}
    return {key: getattr(value, str(value.WhichOneof("value"))) for key, value in values.items()}


def by_name(spans: list[Span]) -> dict[str, list[Span]]:
    return {name: [span for span in spans if span.name == name] for name in {span.name for span in spans}}


async def test_the_spans_of_a_request_and_its_stages_continue_the_trace_of_the_client(
    serve: Serve, seven: bytes
) -> None:
    headers = {"content-type": "image/png", "traceparent": TRACEPARENT}
    with collector() as server:
        async with serve(otel_exporter_otlp_endpoint=server.endpoint) as client:
            await client.get("/metrics")
            answer = await client.post("/predict?model=convnet", content=seven, headers=headers)
            assert answer.status_code == 200
        spans = by_name(server.spans())
        (resource,) = {str(export.resource_spans[0].resource) for export in server.exports}
    assert server.paths == {"/v1/traces"}
    assert "digitserve" in resource
    assert spans.keys() == {"POST /predict", "read", "queue", "inference"}
    (request,) = spans["POST /predict"]
    assert request.trace_id.hex() == CLIENT_TRACE
    assert request.kind == Span.SPAN_KIND_SERVER
    assert attributes(request) == {
        "http.request.method": "POST",
        "http.route": "/predict",
        "http.response.status_code": 200,
        "url.path": "/predict",
        "url.query": "model=convnet",
        "url.scheme": "http",
        "server.address": "service",
        "server.port": 80,
        "network.protocol.version": "1.1",
        "digitserve.request_id": answer.headers["x-request-id"],
    }
    assert request.parent_span_id.hex() == TRACEPARENT.split("-")[2]
    stages = [spans[name][0] for name in ("read", "queue", "inference")]
    for stage in stages:
        assert stage.trace_id == request.trace_id
        assert stage.parent_span_id == request.span_id
        assert request.start_time_unix_nano <= stage.start_time_unix_nano <= stage.end_time_unix_nano
    read, queue, inference = stages
    assert queue.end_time_unix_nano == inference.start_time_unix_nano
    assert read.end_time_unix_nano <= inference.start_time_unix_nano


async def test_the_spans_of_a_batch_belong_to_the_requests_of_its_jobs() -> None:
    with collector() as server:
        tracing = Tracing()
        tracer = tracing.provider.get_tracer("test")
        async with tracing.exporting(server.endpoint):
            contexts = []
            for name in ("first", "second"):
                with tracer.start_as_current_span(name):
                    contexts.append(tracing.current_context())
            tracing.trace_batch([(contexts[0], 0.2), (contexts[1], 0.1)], 2, 0.05)
        spans = by_name(server.spans())
    first, second = spans["first"][0], spans["second"][0]
    assert [span.parent_span_id for span in spans["queue"]] == [first.span_id, second.span_id]
    assert [span.parent_span_id for span in spans["inference"]] == [first.span_id, second.span_id]
    waits = [(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9 for span in spans["queue"]]
    assert waits == pytest.approx([0.2, 0.1])
    assert attributes(spans["inference"][0]) == {"images": 2}


async def test_names_and_attributes_of_spans_follow_the_semantic_conventions(serve: Serve) -> None:
    expected: dict[tuple[str, str], tuple[str, dict[str, object]]] = {
        ("GET", "/page/0/main.js"): (
            "GET /page/{digest}/{name}",
            {"http.request.method": "GET", "http.route": "/page/{digest}/{name}", "http.response.status_code": 404},
        ),
        ("GET", "/nowhere"): ("GET", {"http.request.method": "GET", "http.response.status_code": 404}),
        ("BREW", "/nowhere/else"): (
            "HTTP",
            {"http.request.method": "_OTHER", "http.request.method_original": "BREW", "http.response.status_code": 404},
        ),
        ("GET", "/v2/health/ready"): (
            "GET /v2/health/ready",
            {
                "http.request.method": "GET",
                "http.route": "/v2/health/ready",
                "http.response.status_code": 503,
                "error.type": "503",
            },
        ),
    }
    with collector() as server:
        async with serve(ready=False, required_models="missing", otel_exporter_otlp_endpoint=server.endpoint) as client:
            for method, path in expected:
                await client.request(method, path)
        spans = {str(attributes(span)["url.path"]): span for span in server.spans()}
    common = {"url.scheme", "server.address", "server.port", "network.protocol.version", "digitserve.request_id"}
    for (_, path), (name, own) in expected.items():
        span = spans[path]
        assert span.name == name
        found = attributes(span)
        assert {key: value for key, value in found.items() if key not in common} == {"url.path": path, **own}
        assert (span.status.code == Status.STATUS_CODE_ERROR) == ("error.type" in found)


async def test_the_digits_of_a_picture_are_found_in_a_span_of_their_own(serve: Serve, seven: bytes) -> None:
    with collector() as server:
        # Ready when the finder is.
        async with serve(otel_exporter_otlp_endpoint=server.endpoint, required_models="convnet,finder") as client:
            assert (await client.post("/read", content=seven)).status_code == 200
        spans = by_name(server.spans())
    assert spans.keys() == {"POST /read", "read", "find", "queue", "inference"}
    assert spans["find"][0].parent_span_id == spans["POST /read"][0].span_id


async def test_the_variables_of_the_sdk_apply(serve: Serve, seven: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=secret")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "digits-of-a-team")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    with collector() as server:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.endpoint)
        endpoints = {
            "otel_exporter_otlp_endpoint": "http://127.0.0.1:9",
            "otel_exporter_otlp_traces_endpoint": f"{server.endpoint}/own/path",
        }
        async with serve(**endpoints) as client:
            for headers in ({}, {"traceparent": TRACEPARENT}):
                await client.get("/models", headers=headers)
        (span,) = server.spans()
    assert span.trace_id.hex() == CLIENT_TRACE  # the sampler drops all but the traces that the client samples
    assert server.paths == {"/own/path"}
    assert {headers["api-key"] for headers in server.headers} == {"secret"}
    assert "digits-of-a-team" in str(server.exports[0].resource_spans[0].resource)


async def test_exemplars_have_the_ids_of_sampled_traces(serve: Serve) -> None:
    with collector() as server:
        async with serve(otel_exporter_otlp_endpoint=server.endpoint) as client:
            await client.get("/models", headers={"traceparent": TRACEPARENT})
            await client.get("/v2", headers={"traceparent": TRACEPARENT[:-1] + "0"})
            metrics = (await client.get("/metrics", headers={"accept": "application/openmetrics-text"})).text
    marked = [line for line in metrics.splitlines() if " # {" in line]
    assert [f'# {{trace_id="{CLIENT_TRACE}"}}' in line and 'route="/models"' in line for line in marked] == [True]


@pytest.mark.slow
def test_log_lines_of_a_request_have_the_ids_of_its_trace_and_span(seven: bytes) -> None:
    headers = {"traceparent": TRACEPARENT, "content-type": "image/png"}
    with collector() as server:
        with service(WORKERS="1", OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{server.endpoint}/v1/traces") as (process, url):
            assert httpx.post(f"{url}/predict", content=seven, headers=headers).status_code == 200
            process.terminate()
            printed, _ = process.communicate(timeout=30)
        (span,) = [span for span in server.spans() if span.name == "POST /predict"]
    lines = [json.loads(line) for line in printed.splitlines()]
    (request,) = [line for line in lines if line.get("path") == "/predict"]
    assert (request["trace_id"], request["span_id"]) == (CLIENT_TRACE, span.span_id.hex())
    assert not any("trace_id" in line for line in lines if line.get("path") != "/predict")


async def test_requests_succeed_without_a_collector(
    serve: Serve, seven: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    with collector() as server:
        endpoint = server.endpoint
    async with serve(otel_exporter_otlp_endpoint=endpoint) as client:
        answer: httpx.Response = await client.post("/predict", content=seven, headers={"content-type": "image/png"})
        assert answer.json()["digit"] == 7


def test_a_call_continues_the_trace_of_the_client() -> None:
    tracing, exporter = Tracing(), InMemorySpanExporter()
    tracing.provider.add_span_processor(SimpleSpanProcessor(exporter))
    headers = [(b"traceparent", TRACEPARENT.encode())]
    with tracing.trace_call("/inference.GRPCInferenceService/ModelInfer", headers, "my-id"):
        tracing.trace_stage("read", 0.1)
    child, call = exporter.get_finished_spans()
    assert call.name == "inference.GRPCInferenceService/ModelInfer"
    assert call.attributes == {
        "rpc.system": "grpc",
        "rpc.service": "inference.GRPCInferenceService",
        "rpc.method": "ModelInfer",
        "digitserve.request_id": "my-id",
    }
    assert call.context is not None
    assert f"{call.context.trace_id:032x}" == CLIENT_TRACE
    assert child.parent is not None
    assert child.parent.span_id == call.context.span_id
