import hashlib
import json
import os
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import structlog

from app.errors import BrokenArtefact
from app.model_repository.loader import Loader, VerifiedEngine, VerifiedFinder, _lower_priority, _return_memory
from app.settings import EngineKind
from tests.app.tiny_finder import Darkness, card, compress, draw_pages, publish_finder

pytestmark = pytest.mark.anyio


async def test_a_version_is_loaded_with_the_fingerprint_of_its_files(models_dir: Path) -> None:
    loader = Loader("openvino")
    attempt = await loader.load(models_dir / "softmax" / "1")
    await loader.close()
    assert isinstance(attempt.outcome, VerifiedEngine)
    assert attempt.outcome.card.name == "softmax"
    assert attempt.outcome.engine(np.zeros((1, 28, 28), np.uint8)).logits.shape == (1, 10)
    assert len(attempt.fingerprint) > 3


async def test_the_outcome_of_a_broken_version_is_its_error(models_dir: Path) -> None:
    directory = models_dir / "softmax" / "1"
    (directory / "variables" / "variables.index").unlink()
    loader = Loader("openvino")
    attempt = await loader.load(directory)
    await loader.close()
    assert isinstance(attempt.outcome, BrokenArtefact)
    assert "variables.index is missing" in str(attempt.outcome)
    assert attempt.fingerprint


@pytest.mark.skipif(sys.platform != "linux", reason="the heap is glibc's")
def test_freed_memory_is_returned_to_the_system() -> None:
    pieces = [bytes(50_000) + b"." for _ in range(2_000)]  # 100 MB of the heap
    remaining = pieces[::100]  # so that the heap cannot just shrink from above
    del pieces
    before = resident_kb()
    _return_memory()
    assert resident_kb() < before - 50_000
    assert remaining


def resident_kb() -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1])


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="threads have priorities of their own on Linux only")
async def test_loading_has_a_lower_priority_than_inference() -> None:
    loader = Loader("openvino")
    loading = await loader._loading.run(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
    await loader.close()
    assert loading == max(10, os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))


@pytest.mark.skipif(sys.platform != "linux", reason="threads have priorities of their own on Linux only")
def test_a_service_with_a_lower_priority_keeps_it() -> None:
    found, low = [], max(15, os.getpriority(os.PRIO_PROCESS, 0))

    def run() -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), low)
        _lower_priority()
        found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [low]


async def test_messages_of_openvino_are_logged(models_dir: Path, capfd: pytest.CaptureFixture[str]) -> None:
    directory = models_dir / "softmax" / "1"
    graph = (directory / "saved_model.pb").read_bytes()
    broken = graph.replace(b"StatefulPartitionedCall", b"StatefulPartitionedCal\xff")
    (directory / "saved_model.pb").write_bytes(broken)
    card = json.loads((directory / "model.json").read_text())
    card["files"]["saved_model.pb"] = hashlib.sha256(broken).hexdigest()
    (directory / "model.json").write_text(json.dumps(card))
    loader = Loader("openvino")
    with structlog.testing.capture_logs() as logs:
        await loader.load(directory)
    await loader.close()
    assert "invalid UTF-8" in next(line["text"] for line in logs if line["event"] == "library message")
    assert capfd.readouterr() == ("", "")


async def test_an_error_names_the_folder_of_the_version_and_not_of_the_copy(models_dir: Path) -> None:
    directory = models_dir / "softmax" / "1"
    (directory / "saved_model.pb").write_bytes(b"")
    card = json.loads((directory / "model.json").read_text())
    card["files"]["saved_model.pb"] = hashlib.sha256(b"").hexdigest()
    (directory / "model.json").write_text(json.dumps(card))
    loader = Loader("openvino")
    attempt = await loader.load(directory)
    await loader.close()
    assert str(attempt.outcome).startswith(f"{directory} cannot be loaded by openvino")
    assert "digitserve-loading" not in str(attempt.outcome)


@pytest.mark.parametrize("kind", ["openvino", pytest.param("tensorflow", marks=pytest.mark.slow)])
async def test_a_finder_is_loaded_and_verified(tmp_path: Path, kind: EngineKind) -> None:
    directory = publish_finder(tmp_path)
    wrong = publish_finder(tmp_path, 2, self_test=card()["self_test"] | {"ink": compress(np.zeros(96 * 96, np.uint8))})
    loader = Loader(kind)
    attempts = [await loader.load(each) for each in (directory, wrong)]
    await loader.close()
    assert isinstance(attempts[0].outcome, VerifiedFinder)
    pages = draw_pages(2)
    np.testing.assert_allclose(attempts[0].outcome.engine(pages).ink, Darkness()(pages).ink, atol=1e-6)
    assert "finder/2 has failed verification: its map 'ink' differs" in str(attempts[1].outcome)


async def test_a_finder_with_the_graph_of_a_classifier_is_broken(models_dir: Path) -> None:
    directory = publish_finder(models_dir)
    graph = (models_dir / "softmax" / "1" / "saved_model.pb").read_bytes()
    (directory / "saved_model.pb").write_bytes(graph)
    members = json.loads((directory / "model.json").read_text())
    members["files"]["saved_model.pb"] = hashlib.sha256(graph).hexdigest()
    (directory / "model.json").write_text(json.dumps(members))
    loader = Loader("openvino")
    attempt = await loader.load(directory)
    await loader.close()
    assert str(attempt.outcome).startswith(f"{directory} cannot be loaded by openvino")
