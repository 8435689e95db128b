"""Fixtures for offline scoring: a folder of pictures, and a job for it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from app.score.job import Job, choose_versions
from app.settings import Settings
from tests.conftest import MODELS

MakeJob = Callable[..., Job]


@pytest.fixture
def folder(tmp_path: Path, seven: bytes) -> Path:
    """Return a folder with two pictures, a broken one and an empty one."""
    folder = tmp_path / "pictures"
    (folder / "more").mkdir(parents=True)
    (folder / "a.png").write_bytes(seven)
    (folder / "more" / "b.png").write_bytes(seven)
    (folder / "more" / "broken.png").write_bytes(seven[:50])
    (folder / "z.png").touch()
    return folder


@pytest.fixture
def make_job(tmp_path: Path) -> MakeJob:
    """Return a function that makes a job with the published models."""

    def make(source: Path | str = "", model: str = "convnet", **fields: object) -> Job:
        settings = Settings(models_dir=MODELS)
        versions = choose_versions(settings, model, None)
        out = str(tmp_path / "results.parquet")
        values = {"out": out, "settings": settings, "model": model, "version": versions[model], "versions": versions}
        return Job(str(source), **{**values, **fields})  # type: ignore[arg-type]

    return make
