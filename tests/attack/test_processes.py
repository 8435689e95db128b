"""The effects on clients when processes end, and the service's behaviour when no worker can start."""

import asyncio
import json
import os
import time
from pathlib import Path

import pytest

from tests.attack.losses import Losses, measure
from tests.attack.servers import ROOT, service, stock, wait_until_ready
from tests.attack.target import send
from tests.attack.witnesses import predict, seven

pytestmark = [pytest.mark.slow, pytest.mark.alone]

_TOLERANCE = 12
"""How many more of 60 requests may be lost by chance: three standard deviations of the losses of one worker."""
_TRIES = 3
"""The number of tries. It is chance which requests are in progress when a worker ends; a real fault fails each time."""
_GIVES_UP_SECONDS = 20


@pytest.mark.anyio
async def test_no_more_is_lost_than_with_stock_uvicorn(log_folder: Path) -> None:
    for _ in range(_TRIES):
        with service(log_folder, workers=2) as server, stock(log_folder, workers=2) as other:
            ours, theirs = await asyncio.gather(measure(server), measure(other))
        if _loses_no_more(ours, theirs):
            return
    pytest.fail(f"{ours}, stock: {theirs}")


def _loses_no_more(ours: Losses, theirs: Losses) -> bool:
    """Compare shares: with any server, a request in progress is lost when its worker ends."""
    killed = theirs.killed.broken / max(theirs.held_by_killed, 1) * ours.held_by_killed
    stopped = theirs.stopped.broken / max(theirs.held_by_stopped, 1) * ours.held_by_stopped
    return (
        ours.killed.broken <= killed + _TOLERANCE
        and ours.stopped.broken <= stopped + _TOLERANCE
        and ours.killed.refused <= theirs.killed.refused + _TOLERANCE
        and ours.stopped.refused <= theirs.stopped.refused + _TOLERANCE
        and ours.idle.broken <= theirs.idle.broken + 2
    )


FAILURES = {
    "a module that cannot be imported": "raise ImportError('attacked')",
    "an end without a word": "import os; os._exit(1)",
    "a crash": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_service_whose_workers_cannot_start_gives_up(log_folder: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.abc, sys\n"
        "class Fail(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'app.main':\n"
        f"            {FAILURES[name]}\n"
        "sys.meta_path.insert(0, Fail())\n"
    )
    with service(log_folder, {"PYTHONPATH": str(tmp_path)}, workers=2, ready=False) as server:
        assert server.program.process.wait(_GIVES_UP_SECONDS) == 1
        lines = [json.loads(line) for line in server.log_lines() if line.startswith("{")]
    assert any(line["level"] in {"error", "critical"} for line in lines)


def test_a_worker_that_ends_is_replaced_however_often(log_folder: Path) -> None:
    """The service gives up only if workers have never started."""
    with service(log_folder, workers=2) as server:
        for _ in range(3):
            (victim, *_) = server.workers()
            os.kill(victim, 9)
            end = time.monotonic() + 20
            while victim in server.workers():
                assert time.monotonic() < end
                time.sleep(0.05)
            wait_until_ready(server)
        assert send(server.address, predict(seven(28))) == 200


def test_what_cannot_be_read_among_models_is_put_aside(log_folder: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    for model in (ROOT / "models").iterdir():
        (models / model.name).symlink_to(model)
    (models / "loop").symlink_to("loop")
    (models / "lost+found").mkdir(mode=0o000)
    (models / "folder").mkdir(mode=0o000)
    (models / "broken" / "1").mkdir(parents=True)
    (models / "broken" / "1" / "model.json").symlink_to("model.json")
    (models / "fifo" / "1").mkdir(parents=True)
    os.mkfifo(models / "fifo" / "1" / "model.json")
    with service(log_folder, {"MODELS_DIR": str(models)}) as server:
        assert send(server.address, predict(seven(28))) == 200
        assert send(server.address, b"GET /models HTTP/1.1\r\nHost: x\r\n\r\n") == 200
        assert (
            send(server.address, b"POST /v2/repository/index HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n") == 200
        )
