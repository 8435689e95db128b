"""The store of models is an interface: the service serves from a bucket what training publishes there."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import fsspec
import httpx
import pytest

from tests.app.service import service
from tests.conftest import newest
from tests.s3 import s3_server
from training.cli.commands import app
from training.publishing.model_stores import open_models

pytestmark = pytest.mark.slow


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "it took more than 30 seconds"
        time.sleep(0.1)


def test_the_service_follows_a_bucket_and_outlives_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seven: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with s3_server(monkeypatch, "models") as (server, bucket):
        models = f"{bucket}/served"
        for _ in range(2):
            publish_softmax(models)
        cache = tmp_path / "mirror"
        cache.mkdir()
        settings = {
            "MODELS_DIR": models,
            "MODELS_CACHE_DIR": str(cache),
            "DEFAULT_MODEL": "softmax",
            "REQUIRED_MODELS": "softmax",
            "WORKERS": "2",
            "ADMIN_TOKEN": "secret",
        }

        def version(url: str) -> int:
            answer = httpx.post(f"{url}/predict", content=seven, headers={"Content-Type": "image/png"})
            assert answer.status_code == 200, answer.text
            return int(answer.json()["version"])

        with service(**settings) as (_, url):
            assert version(url) == 2
            run("rollback", "softmax", "--models", models)
            assert f"Withdrawn: {models}/softmax/2" in capsys.readouterr().out
            load = httpx.post(f"{url}/v2/repository/models/softmax/load", headers={"Authorization": "Bearer secret"})
            assert load.status_code == 200, load.text  # it reads the bucket at once
            assert {version(url) for _ in range(10)} == {1}
            publish_softmax(models)
            wait_for(lambda: version(url) == 3)
            damage(f"{models}/softmax/3/saved_model.pb".removeprefix("s3://"))
            wait_for(lambda: "has been altered" in httpx.get(f"{url}/models").text)
            server.stop()
            time.sleep(6)  # longer than the time between two reads of the bucket
            assert httpx.get(f"{url}/health/ready").status_code == 200
            assert version(url) == 3, "version 3 was loaded before its file was damaged"
        with service(**settings) as (_, url):
            assert version(url) == 1, "the copies of the store have it, too"


def publish_softmax(models: str) -> None:
    """Publish a copy of the softmax regression, as a command of training does."""
    with open_models(models, print) as folder:
        number = 1 + max((int(path.name.removeprefix(".withdrawn-")) for path in folder.glob("softmax/*")), default=0)
        shutil.copytree(newest("softmax"), folder / "softmax" / str(number))


def damage(path: str) -> None:
    files = fsspec.filesystem("s3")
    files.pipe_file(path, files.cat_file(path) + b" ")


def run(*arguments: str) -> None:
    with pytest.raises(SystemExit) as exit_:
        app(list(arguments))
    assert exit_.value.code == 0
