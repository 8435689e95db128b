"""Opens the port for gRPC, answers calls on the worker's event loop, and stops when the application does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import grpc

from app.grpc.calls import CallHandling, Trace
from app.grpc.health import SERVICE as HEALTH_SERVICE
from app.grpc.health import HealthServicer
from app.grpc.open_inference import SERVICE as INFERENCE_SERVICE
from app.grpc.open_inference import OpenInferenceServicer
from app.grpc.parts import Parts
from app.grpc.reflection import reflection_handlers
from app.grpc.tensorflow_serving import MODEL_SERVICE, PREDICTION_SERVICE, TensorFlowServingServicer
from app.observability.request_log import RequestLog
from app.settings import Settings
from app.web.concurrency_limit import ConcurrencyLimit

_MAX_STREAMS = 128
"""Calls that one connection may have open. A client waits with more."""


@asynccontextmanager
async def serve_grpc(
    parts: Parts, request_log: RequestLog, limit: ConcurrencyLimit, trace: Trace | None
) -> AsyncIterator[None]:
    """Serve within the context; at its end, finish the calls that are being answered.

    All workers open the port, and the kernel gives each connection to one of them.
    """
    settings = parts.settings
    calls = CallHandling(settings, request_log, limit, trace)
    server = grpc.aio.server(
        options=[
            ("grpc.so_reuseport", 1),
            ("grpc.max_receive_message_length", settings.max_body_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.max_concurrent_streams", _MAX_STREAMS),
        ]
    )
    inference, serving = OpenInferenceServicer(parts), TensorFlowServingServicer(parts)
    names = [service.full_name for service in (INFERENCE_SERVICE, PREDICTION_SERVICE, MODEL_SERVICE)]
    server.add_generic_rpc_handlers(
        (
            calls.service(INFERENCE_SERVICE, inference.answers(), inference.describe_stream_error),
            calls.service(PREDICTION_SERVICE, serving.prediction_answers()),
            calls.service(MODEL_SERVICE, serving.model_answers()),
            HealthServicer(parts.repository.catalogue, names).handler(),
            *reflection_handlers([*names, HEALTH_SERVICE.full_name]),
        )
    )
    server.add_insecure_port(_address(settings))
    await server.start()
    try:
        yield
    finally:
        await _stop(server, calls, settings.shutdown_seconds)


def _address(settings: Settings) -> str:
    """Return the address to listen on. IPv6 addresses need brackets."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{host}:{settings.grpc_port}"


async def _stop(server: grpc.aio.Server, calls: CallHandling, seconds: float) -> None:
    """Accept no more calls, wait until none is being answered, and then end the streams, which may be idle."""
    stopped = asyncio.create_task(server.stop(seconds))
    await asyncio.sleep(0)  # from here on, no call is accepted
    with suppress(TimeoutError):
        await asyncio.wait_for(calls.wait_until_idle(), seconds)
    await server.stop(None)
    await stopped
