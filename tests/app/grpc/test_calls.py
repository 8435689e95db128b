import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
import structlog
from structlog.testing import LogCapture

from app.errors import Overloaded, UnknownModel
from app.grpc.calls import Access, Call, CallHandling
from app.grpc.open_inference import SERVICE
from app.grpc.stubs.inference_pb2 import (
    ModelInferRequest,
    ModelReadyRequest,
    ModelReadyResponse,
    ModelStreamInferResponse,
)
from app.observability.metrics import ServiceMetrics
from app.observability.request_log import RequestLog
from app.settings import Settings
from app.web.concurrency_limit import ConcurrencyLimit
from imaging import UnreadablePicture
from tests.app.grpc.calling import Stub

pytestmark = pytest.mark.anyio

Answer = Callable[[Any, Call], Awaitable[Any]]


@dataclass
class Service:
    channel: grpc.aio.Channel
    stub: Stub
    calls: CallHandling
    metrics: ServiceMetrics
    limit: ConcurrencyLimit


@asynccontextmanager
async def serving(
    answer: Answer, log: LogCapture, access: Access = Access.PREDICT, method: str = "ModelReady", **settings: object
) -> AsyncIterator[Service]:
    """Serve one method, which `answer` answers."""
    parsed = Settings.model_validate(settings)
    metrics, limit = ServiceMetrics(), ConcurrencyLimit(parsed.most_at_once)
    logger = structlog.wrap_logger(structlog.PrintLogger(), processors=[log])
    calls = CallHandling(parsed, RequestLog(metrics, logger, access_log=True), limit)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((calls.service(SERVICE, {method: (access, answer)}, describe_error),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Service(channel, Stub(channel, SERVICE), calls, metrics, limit)
    await server.stop(None)


def describe_error(detail: str) -> ModelStreamInferResponse:
    return ModelStreamInferResponse(error_message=detail)


async def fine(request: ModelReadyRequest, call: Call) -> ModelReadyResponse:
    call.answered_by = request.name, 3
    return ModelReadyResponse(ready=True)


def raising(error: Exception) -> Answer:
    async def answer(_: object, __: Call) -> None:
        raise error

    return answer


async def test_a_call_is_counted_and_logged_as_a_request(log: LogCapture) -> None:
    async with serving(fine, log) as service:
        metadata = [("x-request-id", "my-id")]
        assert (await service.stub("ModelReady", name="convnet", metadata=metadata)).ready
    path = "/inference.GRPCInferenceService/ModelReady"
    [entry] = log.entries
    assert entry["event"] == "request"
    assert (entry["request_id"], entry["path"], entry["status"], entry["client"]) == ("my-id", path, 200, "127.0.0.1")
    text = service.metrics.exposition("text/plain")[0].decode()
    labels = f'{{method="POST",model="convnet",route="{path}",status="200",version="3"}}'
    assert f"digitserve_http_requests_total{labels} 1.0" in text
    assert "digitserve_http_requests_in_progress 0.0" in text


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (UnknownModel("x", ["y"]), "NOT_FOUND", "There is no model 'x'. Available models: y."),
        (Overloaded("Too much."), "UNAVAILABLE", "Too much."),
        (UnreadablePicture("It is broken."), "INVALID_ARGUMENT", "It is broken."),
        (LookupError("a secret"), "INTERNAL", "An unexpected error."),
    ],
)
async def test_an_error_has_its_code_and_its_message(log: LogCapture, error: Exception, code: str, words: str) -> None:
    async with serving(raising(error), log) as service:
        await service.stub.refused(code, words, "ModelReady")
        await service.stub.refused(code, words, "ModelReady")
    is_unexpected = code == "INTERNAL"
    assert [entry.get("exc_info") is error for entry in log.entries] == [is_unexpected] * 2
    assert "digitserve_refusals_total" in service.metrics.exposition("text/plain")[0].decode()


async def test_the_id_of_a_call_is_in_its_trailers(log: LogCapture) -> None:
    async with serving(raising(LookupError()), log) as service:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await service.stub("ModelReady")
    [entry] = log.entries
    assert dict(caught.value.trailing_metadata())["x-request-id"] == entry["request_id"]


async def test_bytes_that_are_no_message_are_refused(log: LogCapture) -> None:
    async with serving(fine, log) as service:
        call = service.channel.unary_unary("/inference.GRPCInferenceService/ModelReady")
        for data in (b"\x0a\xff\xff\xff\xff\x0f", b"\xff" * 100, b"\x08"):
            with pytest.raises(
                grpc.aio.AioRpcError, match=r"cannot be parsed as inference\.ModelReadyRequest"
            ) as caught:
                await call(data)
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert (await service.stub("ModelReady")).ready


async def test_a_call_without_a_message_is_refused(log: LogCapture) -> None:
    async with serving(fine, log) as service:
        call = service.channel.stream_unary("/inference.GRPCInferenceService/ModelReady")
        with pytest.raises(grpc.aio.AioRpcError, match=r"has no message\. Send one\."):
            await call(iter(()))


@pytest.mark.parametrize(("access", "setting"), [(Access.PREDICT, "predict_token"), (Access.ADMIN, "admin_token")])
async def test_a_call_needs_the_token_of_its_method(log: LogCapture, access: Access, setting: str) -> None:
    async with serving(fine, log, access, **{setting: "secret"}) as service:
        await service.stub.refused("UNAUTHENTICATED", "No token was sent.", "ModelReady")
        wrong, correct = ([("authorization", f"Bearer {token}")] for token in ("other", "secret"))
        await service.stub.refused("UNAUTHENTICATED", setting.upper(), "ModelReady", metadata=wrong)
        assert (await service.stub("ModelReady", metadata=correct)).ready


async def test_loading_is_refused_if_other_machines_can_reach_the_service(log: LogCapture) -> None:
    async with serving(fine, log, Access.ADMIN, host="0.0.0.0") as service:
        await service.stub.refused("PERMISSION_DENIED", "ADMIN_TOKEN", "ModelReady")


async def test_reading_needs_neither_a_token_nor_a_place(log: LogCapture) -> None:
    async with serving(fine, log, Access.READ, predict_token="secret", most_at_once=1) as service:
        service.limit.acquire()
        assert (await service.stub("ModelReady")).ready


async def test_the_concurrency_limit_refuses_a_call_before_its_message_is_received(log: LogCapture) -> None:
    async with serving(fine, log, most_at_once=1) as service:
        occupying = service.channel.stream_unary("/inference.GRPCInferenceService/ModelReady")()
        await occupying.wait_for_connection()
        while service.limit.overload_error() is None:  # noqa: ASYNC110 - the call takes its place there
            await asyncio.sleep(0)
        await service.stub.refused("UNAVAILABLE", "The service is busy", "ModelReady")
        await occupying.write(b"")
        await occupying.done_writing()
        assert ModelReadyResponse.FromString(await occupying).ready
        assert (await service.stub("ModelReady")).ready


async def test_a_message_that_does_not_come_in_time_is_refused(log: LogCapture) -> None:
    async with serving(fine, log, upload_seconds=0.05) as service:
        call = service.channel.stream_unary("/inference.GRPCInferenceService/ModelReady")()
        with pytest.raises(grpc.aio.AioRpcError, match=r"not received completely within 0\.05 seconds") as caught:
            await call
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert service.limit.overload_error() is None


async def test_messages_that_are_too_many_bytes_together_are_refused(log: LogCapture) -> None:
    is_waiting, may_end = asyncio.Event(), asyncio.Event()

    async def wait(_: object, __: Call) -> ModelReadyResponse:
        is_waiting.set()
        await may_end.wait()
        return ModelReadyResponse(ready=True)

    async with serving(wait, log, max_body_bytes=2**20, max_buffered_bytes=2**20) as service:
        first = asyncio.create_task(service.stub("ModelReady", name="x" * (3 * 2**19)))
        await is_waiting.wait()
        await service.stub.refused("UNAVAILABLE", "as many bytes", "ModelReady", name="x" * 2**20)
        may_end.set()
        assert (await first).ready
        assert (await service.stub("ModelReady", name="x" * 2**20)).ready


@pytest.mark.parametrize("by_deadline", [True, False])
async def test_a_call_that_the_client_gives_up_is_cancelled(log: LogCapture, *, by_deadline: bool) -> None:
    is_waiting, ended = asyncio.Event(), asyncio.Event()

    async def wait(_: object, __: Call) -> None:
        is_waiting.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with serving(wait, log) as service:
        call = asyncio.create_task(service.stub("ModelReady", seconds=0.2 if by_deadline else 30))
        await is_waiting.wait()
        if not by_deadline:
            call.cancel()
        with pytest.raises((grpc.aio.AioRpcError, asyncio.CancelledError)):
            await call
        await ended.wait()
        await service.calls.wait_until_idle()
        assert service.limit.overload_error() is None
    [entry] = log.entries
    assert entry["status"] == 499


async def test_an_error_in_a_stream_does_not_end_it(log: LogCapture) -> None:
    async def answer(request: ModelInferRequest, _: Call) -> ModelStreamInferResponse:
        if request.model_name == "nobody":
            raise UnknownModel(request.model_name, [])
        return ModelStreamInferResponse()

    async with serving(answer, log, method="ModelStreamInfer") as service:
        call = service.channel.stream_stream("/inference.GRPCInferenceService/ModelStreamInfer")()
        messages = []
        for data in (b"", b"\x0a\x06nobody", b"\xff", b""):
            await call.write(data)
            messages.append(ModelStreamInferResponse.FromString(await call.read()).error_message)
        await call.done_writing()
        assert await call.code() is grpc.StatusCode.OK
    assert [message[:17] for message in messages] == ["", "There is no model", "The message canno", ""]
    assert [entry["status"] for entry in log.entries] == [200, 404, 400, 200]


async def test_a_stream_without_the_token_ends(log: LogCapture) -> None:
    async with serving(fine, log, method="ModelStreamInfer", predict_token="secret") as service:
        call = service.channel.stream_stream("/inference.GRPCInferenceService/ModelStreamInfer")()
        await call.write(b"")
        await call.done_writing()
        assert await call.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_an_unknown_method_is_named_unimplemented(log: LogCapture) -> None:
    async with serving(fine, log) as service:
        for name in ("/inference.GRPCInferenceService/Nothing", "/x.Y/Z"):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await service.channel.unary_unary(name)(b"")
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
        assert (await service.stub("ModelReady")).ready
