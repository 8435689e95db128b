import asyncio
from pathlib import Path
from typing import Any, cast

import anyio
import httpx
import pytest
import structlog

from app.model_repository.watcher import refresh_regularly
from tests.conftest import Serve, publish

pytestmark = pytest.mark.anyio


class FailingRepository:
    """A repository whose first refreshes fail."""

    def __init__(self, failures: int) -> None:
        self._failures = failures
        self.recovered = asyncio.Event()
        self.refreshes = 0

    async def refresh(self) -> None:
        self.refreshes += 1
        if self.refreshes <= self._failures:
            message = "the disk is not available"
            raise OSError(message)
        self.recovered.set()


async def test_a_repeated_error_is_logged_once_and_does_not_end_the_watch() -> None:
    repository = FailingRepository(failures=3)
    with structlog.testing.capture_logs() as logs:
        watcher = asyncio.create_task(refresh_regularly(cast("Any", repository), every_seconds=0))
        await asyncio.wait_for(repository.recovered.wait(), 10)
        watcher.cancel()
    assert [line["reason"] for line in logs] == ["the disk is not available"]


async def test_a_running_service_finds_a_new_version(serve: Serve, models_dir: Path) -> None:
    async with serve(models_dir=models_dir) as client:
        publish(models_dir, "softmax", 9)
        with anyio.fail_after(10):
            while (await default_versions(client))["softmax"] != 9:  # noqa: ASYNC110 - as any client
                await anyio.sleep(0.05)


async def default_versions(client: httpx.AsyncClient) -> dict[str, int]:
    return {model["name"]: model["served"] for model in (await client.get("/models")).json()["models"]}
