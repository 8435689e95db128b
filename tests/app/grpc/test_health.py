import asyncio
from pathlib import Path

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from app.grpc.health import HealthServicer
from app.model_repository.catalogue import ModelCatalogue
from app.settings import Settings

pytestmark = pytest.mark.anyio


async def test_each_service_is_ready_if_the_application_is(channel: grpc.aio.Channel) -> None:
    stub = HealthStub(channel)
    for name in ("", "inference.GRPCInferenceService", "tensorflow.serving.PredictionService"):
        response = await stub.Check(HealthCheckRequest(service=name))
        assert response.status == HealthCheckResponse.SERVING


async def test_an_unknown_service_is_named(channel: grpc.aio.Channel) -> None:
    stub = HealthStub(channel)
    with pytest.raises(grpc.aio.AioRpcError, match=r"no service 'x'\. Leave the name empty") as caught:
        await stub.Check(HealthCheckRequest(service="x"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    watch = stub.Watch(HealthCheckRequest(service="x"))
    assert (await watch.read()).status == HealthCheckResponse.SERVICE_UNKNOWN
    watch.cancel()


async def test_a_change_is_sent_to_those_who_watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.grpc.health.WATCH_SECONDS", 0)
    catalogue = ModelCatalogue(Settings.model_validate({"models_dir": tmp_path, "required_models": ""}))
    catalogue.listing_error = None
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((HealthServicer(catalogue, ["a.B"]).handler(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        watch = HealthStub(channel).Watch(HealthCheckRequest(service="a.B"))
        assert (await watch.read()).status == HealthCheckResponse.SERVING
        catalogue.report_stopping()
        async with asyncio.timeout(10):
            assert (await watch.read()).status == HealthCheckResponse.NOT_SERVING
        watch.cancel()
    await server.stop(None)
