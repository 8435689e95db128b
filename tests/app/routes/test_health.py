from pathlib import Path

import pytest

from tests.conftest import Serve

pytestmark = pytest.mark.anyio


async def test_a_process_is_live_before_it_is_ready(serve: Serve) -> None:
    async with serve(ready=False) as client:
        assert (await client.get("/health/live")).json() == {"status": "live"}
        response = await client.get("/health/ready")
    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"
    assert "still loading" in response.json()["detail"]


async def test_ready_when_every_required_model_is_ready(serve: Serve) -> None:
    async with serve() as client:
        response = await client.get("/health/ready")
    assert (response.status_code, response.json()) == (200, {"status": "ready"})


async def test_never_ready_without_a_required_model(serve: Serve, tmp_path: Path) -> None:
    async with serve(ready=False, models_dir=tmp_path, required_models="convnet") as client:
        response = await client.get("/health/ready")
    assert response.status_code == 503
    assert "There is no model 'convnet'" in response.json()["detail"]
