"""The services in processes: several workers, and the end of the service."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import grpc
import numpy as np
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from app.grpc.open_inference import SERVICE
from app.grpc.stubs.inference_pb2 import ModelInferRequest, ModelInferResponse
from tests.app.grpc.calling import Stub
from tests.app.grpc.conftest import free_port
from tests.app.service import ROOT, service

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


def request(images: int) -> bytes:
    return ModelInferRequest(
        model_name="convnet",
        inputs=[{"name": "images", "datatype": "UINT8", "shape": [images, 28, 28]}],
        raw_input_contents=[np.zeros((images, 28, 28), np.uint8).tobytes()],
    ).SerializeToString()


def connect(port: int) -> grpc.aio.Channel:
    """Return a channel with a connection of its own, which receives a large message in many small pieces."""
    options = {"grpc.use_local_subchannel_pool": 1, "grpc.http2.lookahead_bytes": 1024, "grpc.http2.bdp_probe": 0}
    return grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=list(options.items()))


async def until_refused(channel: grpc.aio.Channel) -> None:
    """Call the service until it accepts no more calls."""
    while True:
        try:
            await Stub(channel, SERVICE)("ServerLive")
        except grpc.aio.AioRpcError:
            return


async def test_connections_and_commands_reach_all_workers() -> None:
    port = free_port()
    with service(WORKERS="2", GRPC_PORT=str(port)):
        for action, is_ready in (("Unload", False), ("Load", True)):
            async with connect(port) as channel:
                await Stub(channel, SERVICE)(f"RepositoryModel{action}", model_name="softmax")
            for _ in range(20):  # the chance that all reach one worker is one to half a million
                async with connect(port) as channel:
                    assert (await Stub(channel, SERVICE)("ModelReady", name="softmax")).ready is is_ready


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_the_end_finishes_calls_and_does_not_wait_for_idle_streams(workers: str) -> None:
    port = free_port()
    settings = {"DRAIN_SECONDS": "1", "SHUTDOWN_SECONDS": "60", "ACCESS_LOG": "false"}  # nobody reads the log meanwhile
    with service(WORKERS=workers, GRPC_PORT=str(port), **settings) as (process, _):
        async with connect(port) as channel:
            watch = HealthStub(channel).Watch(HealthCheckRequest())
            while (await watch.read()).status != HealthCheckResponse.SERVING:
                pass  # another worker was ready
            stream = channel.stream_stream(f"/{SERVICE.full_name}/ModelStreamInfer")()
            await stream.write(request(1))
            await stream.read()
            call = channel.stream_unary(f"/{SERVICE.full_name}/ModelInfer")()  # its message comes later
            await call.wait_for_connection()
            process.send_signal(signal.SIGTERM)
            assert (await watch.read()).status == HealthCheckResponse.NOT_SERVING
            await until_refused(channel)  # when the drain period is over
            await call.write(request(4000))  # the response takes longer to send than to make
            await call.done_writing()
            assert ModelInferResponse.FromString(await call).outputs
            assert await stream.code() is not grpc.StatusCode.OK
            assert await watch.code() is not grpc.StatusCode.OK
        assert process.wait(30) == 0


def test_a_port_in_use_stops_the_start() -> None:
    port = free_port()
    with service(WORKERS="1", GRPC_PORT=str(port)):
        settings = {"PORT": str(free_port()), "GRPC_PORT": str(port)}
        process = subprocess.run(
            [sys.executable, "-m", "app"], cwd=ROOT, env={**os.environ, **settings}, capture_output=True, check=False
        )
    assert process.returncode == 1
    assert process.stderr.decode().startswith(f"Port {port} of 127.0.0.1 cannot be opened: Address already in use.")
    assert "set GRPC_PORT to another number" in process.stderr.decode()


def test_the_service_starts_without_the_packages_of_grpc(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nfor name in ('grpc', 'grpc_health', 'grpc_reflection', 'google.protobuf'):\n"
        "    sys.modules[name] = None\n"
    )
    with service(WORKERS="1", PYTHONPATH=str(tmp_path)) as (process, _):
        assert process.poll() is None
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "GRPC_PORT": str(free_port())}
    process = subprocess.run(
        [sys.executable, "-m", "app"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert process.returncode == 1
    assert "gRPC needs more packages: pip install '.[grpc]'" in process.stderr
    assert len(process.stderr.splitlines()) == 1
