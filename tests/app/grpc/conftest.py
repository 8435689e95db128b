import socket
from collections.abc import AsyncIterator

import grpc
import httpx
import pytest

from tests.conftest import Serve


@pytest.fixture(scope="session")
async def service(serve: Serve) -> AsyncIterator[tuple[grpc.aio.Channel, httpx.AsyncClient]]:
    """Return a gRPC channel and an HTTP client of one application. All tests share it, as starting takes a while."""
    port = free_port()
    async with serve(grpc_port=port) as client, grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel, client


@pytest.fixture
def channel(service: tuple[grpc.aio.Channel, httpx.AsyncClient]) -> grpc.aio.Channel:
    return service[0]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port
