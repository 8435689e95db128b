"""Fixtures: the servers that the tests of this folder attack."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.attack.in_process import both_servers
from tests.attack.target import Target
from tests.attack.wire import Address


@pytest.fixture(scope="session")
async def addresses(anyio_backend: str) -> AsyncIterator[tuple[Address, Address]]:
    """Return the addresses of the service and of stock uvicorn, both in this process and shared by all tests."""
    async with both_servers() as addresses:
        yield addresses


@pytest.fixture(scope="session")
def target() -> Iterator[Target]:
    """Return a service with witnesses."""
    with Target() as running:
        yield running


@pytest.fixture(scope="session")
def log_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("attack")
