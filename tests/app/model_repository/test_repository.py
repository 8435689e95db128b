import asyncio
import os
import shutil
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from app.errors import BrokenArtefact, FinderUnavailable, NotReady, UnknownModel, UnknownVersion
from app.model_repository import artefact, loader
from app.model_repository.control import ModelControl
from app.model_repository.repository import ModelRepository
from app.model_repository.workers import WorkerGroup
from app.observability.metrics import ServiceMetrics
from app.settings import Settings
from tests.app.tiny_finder import Darkness, draw_pages, publish_finder
from tests.conftest import keep_only, publish

pytestmark = pytest.mark.anyio

Open = Callable[..., ModelRepository]


@pytest.fixture
async def repository(tmp_path: Path) -> AsyncIterator[Open]:
    """Return a function that opens repositories of one folder, as several workers do."""
    (tmp_path / "control").mkdir()
    async with AsyncExitStack() as stack:

        def open_(models_dir: Path, group: WorkerGroup | None = None, **settings: object) -> ModelRepository:
            found = Settings.model_validate({"models_dir": models_dir, **settings})
            opened = ModelRepository(found, ServiceMetrics(), ModelControl(tmp_path / "control", group))
            stack.push_async_callback(opened.close)
            return opened

        yield open_


def corrupt(directory: Path) -> None:
    (directory / "saved_model.pb").write_bytes(b"")


def restore(directory: Path) -> None:
    shutil.copy(directory.parent / "1" / "saved_model.pb", directory)


@pytest.fixture
def one_version(models_dir: Path) -> Path:
    """Return a folder of models with version 1 of softmax."""
    keep_only(models_dir, "softmax")
    return models_dir


@pytest.fixture
def three_versions(one_version: Path) -> Path:
    """Return a folder of models with the versions 1, 2 and 3 of softmax."""
    publish(one_version, "softmax", 2)
    publish(one_version, "softmax", 3)
    return one_version


def states(models: ModelRepository) -> dict[int, str]:
    return {version.number: version.state for version in models.catalogue.models["softmax"]}


async def test_the_newest_version_answers_unless_a_request_names_another(
    three_versions: Path, repository: Open
) -> None:
    models = repository(three_versions, keep_versions=2)
    await models.refresh()
    assert models.catalogue.find("softmax").card.version == 3
    assert models.catalogue.find("softmax", 2).card.version == 2
    assert models.catalogue.find("softmax", label="latest").card.version == 3
    assert [loaded.card.version for loaded in models.catalogue.default_versions()] == [3]


async def test_only_the_newest_versions_are_loaded(three_versions: Path, repository: Open) -> None:
    models = repository(three_versions, keep_versions=2)
    await models.refresh()
    assert states(models) == {3: "ready", 2: "ready", 1: "not_loaded"}
    with pytest.raises(UnknownVersion, match=r"Model 'softmax' has no version 1\. Available versions: 3, 2\."):
        models.catalogue.find("softmax", 1)


async def test_the_cards_of_versions_that_are_not_loaded_can_be_read(three_versions: Path, repository: Open) -> None:
    (three_versions / "softmax" / "2" / "model.json").write_text("{}")
    models = repository(three_versions)
    await models.open()
    cards = await models.read_cards()
    assert [card.version for card in cards.values()] == [3, 1]


async def test_the_pinned_version_is_stable_and_the_newest_is_latest(three_versions: Path, repository: Open) -> None:
    models = repository(three_versions, model_versions="softmax:1", keep_versions=1)
    await models.refresh()
    assert models.catalogue.find("softmax").card.version == 1
    assert models.catalogue.labels("softmax") == {"stable": 1, "latest": 3}
    assert states(models) == {3: "ready", 2: "not_loaded", 1: "ready"}


async def test_a_new_version_replaces_the_old_one(one_version: Path, repository: Open) -> None:
    models = repository(one_version, keep_versions=1)
    await models.refresh()
    publish(one_version, "softmax", 2)
    await models.refresh()
    assert models.catalogue.find("softmax").card.version == 2
    assert states(models) == {2: "ready", 1: "not_loaded"}


async def test_a_request_finishes_on_the_version_it_started_on(one_version: Path, repository: Open) -> None:
    models = repository(one_version, keep_versions=1)
    await models.refresh()
    old = models.catalogue.find("softmax")
    publish(one_version, "softmax", 2)
    await models.refresh()
    assert states(models) == {2: "ready", 1: "unloading"}
    assert (await old.batcher.score(np.zeros((1, 28, 28), np.uint8))).probabilities.shape == (1, 10)
    del old
    await models.refresh()
    assert states(models) == {2: "ready", 1: "not_loaded"}


async def test_a_model_is_found_when_it_is_added_and_forgotten_when_it_is_removed(
    one_version: Path, models_dir: Path, repository: Open
) -> None:
    models = repository(one_version)
    await models.refresh()
    shutil.copytree(one_version / "softmax", one_version / ".perceptron")
    (one_version / ".perceptron").rename(one_version / "perceptron")
    await models.refresh()
    with pytest.raises(NotReady, match="says that it is softmax/1"):
        models.catalogue.find("perceptron")
    shutil.rmtree(one_version / "perceptron")
    await models.refresh()
    with pytest.raises(UnknownModel):
        models.catalogue.find("perceptron")


async def test_a_broken_version_has_a_reason_and_the_previous_one_answers(
    three_versions: Path, repository: Open
) -> None:
    corrupt(three_versions / "softmax" / "3")
    models = repository(three_versions, keep_versions=1)
    await models.refresh()
    assert models.catalogue.find("softmax").card.version == 2
    broken = models.catalogue.models["softmax"][0]
    assert broken.state == "failed"
    assert "saved_model.pb has been altered" in str(broken.reason)
    with pytest.raises(NotReady, match=r"saved_model\.pb has been altered"):
        models.catalogue.find("softmax", 3)


async def test_a_broken_version_is_tried_again_when_its_files_change(one_version: Path, repository: Open) -> None:
    models = repository(one_version)
    second = publish(one_version, "softmax", 2)
    corrupt(second)
    await models.refresh()
    tried = models.catalogue.models["softmax"][0].fingerprint
    await models.refresh()
    assert models.catalogue.models["softmax"][0].fingerprint is tried
    restore(second)
    await models.refresh()
    assert models.catalogue.find("softmax").card.version == 2


async def test_removing_the_newest_version_rolls_back(three_versions: Path, repository: Open) -> None:
    models = repository(three_versions, keep_versions=1)
    await models.refresh()
    third = three_versions / "softmax" / "3"
    third.rename(three_versions / "softmax" / ".3")
    await models.refresh()
    assert models.catalogue.find("softmax").card.version == 2
    assert list(states(models)) == [2, 1]
    (three_versions / "softmax" / ".3").rename(third)
    await models.refresh()
    assert models.catalogue.find("softmax").card.version == 3


async def test_a_version_published_again_under_its_number_is_loaded_again(one_version: Path, repository: Open) -> None:
    models = repository(one_version)
    second = publish(one_version, "softmax", 2)
    await models.refresh()
    before = models.catalogue.find("softmax")
    shutil.rmtree(second)
    publish(one_version, "softmax", 2)
    await models.refresh()
    assert models.catalogue.find("softmax").card.version == 2
    assert models.catalogue.find("softmax") is not before


async def test_altered_files_of_a_loaded_version_are_reported_and_it_keeps_answering(
    one_version: Path, repository: Open
) -> None:
    models = repository(one_version)
    await models.refresh()
    corrupt(one_version / "softmax" / "1")
    await models.refresh()
    assert models.catalogue.find("softmax").card.version == 1
    assert "has been altered" in str(models.catalogue.models["softmax"][0].reason)


async def test_unload_reaches_every_worker_and_lasts_until_load(one_version: Path, repository: Open) -> None:
    one, other = repository(one_version), repository(one_version)
    await one.refresh()
    await other.refresh()
    await one.unload("softmax")
    with pytest.raises(NotReady, match="Model 'softmax' has been unloaded"):
        one.catalogue.find("softmax")
    await other.refresh()
    for models in (one, other):
        assert states(models) == {1: "not_loaded"}
        assert "has been unloaded" in models.catalogue.not_ready_reasons()["softmax"]
    await other.load("softmax")
    await one.refresh()
    assert one.catalogue.find("softmax").card.version == other.catalogue.find("softmax").card.version == 1


async def test_a_command_is_answered_when_every_worker_has_followed(
    one_version: Path, repository: Open, tmp_path: Path
) -> None:
    groups = [WorkerGroup(tmp_path / "control") for _ in range(3)]
    workers = [repository(one_version, group) for group in groups]
    for worker in workers:
        await worker.refresh()
    async with AsyncExitStack() as stack:
        for group, worker in zip(groups, workers, strict=True):
            await stack.enter_async_context(group.listening(worker.follow))
        await workers[0].unload("softmax")
        assert [states(worker) for worker in workers] == [{1: "not_loaded"}] * 3
        await workers[1].load("softmax")
        assert [states(worker) for worker in workers] == [{1: "ready"}] * 3
        await asyncio.gather(workers[0].unload("softmax"), workers[1].unload("softmax"), workers[2].unload("softmax"))
        assert [states(worker) for worker in workers] == [{1: "not_loaded"}] * 3


async def test_a_worker_that_cannot_follow_is_reported(one_version: Path, repository: Open, tmp_path: Path) -> None:
    group, other_group = WorkerGroup(tmp_path / "control"), WorkerGroup(tmp_path / "control")
    other_models = tmp_path / "other"
    (other_models / "softmax").mkdir(parents=True)  # the other worker has the model, and no version of it
    worker, other = repository(one_version, group), repository(other_models, other_group)
    async with other_group.listening(other.follow):
        with pytest.raises(
            NotReady, match=r"is loaded in this worker\. Another worker cannot follow: .* has no version"
        ):
            await worker.load("softmax")
        assert worker.catalogue.find("softmax").card.version == 1
        await worker.unload("softmax")


async def test_a_worker_that_does_not_follow_in_time_is_reported(
    one_version: Path, repository: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.model_repository.repository.FOLLOW_SECONDS", 0.05)

    async def follow(_name: str) -> str | None:
        await asyncio.Event().wait()
        return None

    group, other_group = WorkerGroup(tmp_path / "control"), WorkerGroup(tmp_path / "control")
    worker = repository(one_version, group)
    async with other_group.listening(follow):
        for command, done in ((worker.load, "loaded"), (worker.unload, "unloaded")):
            with pytest.raises(
                NotReady, match=rf"is {done} in this worker\. Another worker has not followed within 0\.05"
            ):
                await command("softmax")
        corrupt(publish(one_version, "softmax", 2))
        with pytest.raises(BrokenArtefact):
            await worker.load("softmax")


async def test_load_scans_at_once_and_raises_what_is_wrong(one_version: Path, repository: Open) -> None:
    models = repository(one_version)
    await models.load("softmax")
    assert models.catalogue.find("softmax").card.version == 1
    corrupt(publish(one_version, "softmax", 2))
    with pytest.raises(BrokenArtefact, match=r"saved_model\.pb has been altered.* Version 1 answers as before\."):
        await models.load("softmax")
    with pytest.raises(UnknownModel):
        await models.load("../models/softmax")
    with pytest.raises(UnknownModel):
        await models.unload("perceptron")


async def test_a_model_that_is_loading_is_not_ready(one_version: Path, repository: Open) -> None:
    models = repository(one_version)
    with pytest.raises(NotReady, match="still being read"):
        models.catalogue.find("softmax")
    await models.open()
    assert states(models) == {1: "waiting"}
    with pytest.raises(NotReady, match="still loading"):
        models.catalogue.find("softmax")


async def test_missing_required_models_have_a_reason_until_they_are_loaded(one_version: Path, repository: Open) -> None:
    models = repository(one_version, required_models="softmax,convnet")
    assert "still being read" in models.catalogue.not_ready_reasons()["softmax"]
    await models.open()
    assert "still loading" in models.catalogue.not_ready_reasons()["softmax"]
    await models.refresh()
    assert list(models.catalogue.not_ready_reasons()) == ["convnet"]
    assert "There is no model 'convnet'" in models.catalogue.not_ready_reasons()["convnet"]


def block(folder: Path) -> None:
    """Make a folder unreadable with a link to itself: unlike permissions, it works for root too."""
    folder.symlink_to(folder.name)


async def test_an_unreadable_model_does_not_affect_the_others(one_version: Path, repository: Open) -> None:
    block(one_version / "loop")
    (one_version / os.fsdecode(b"odd\xff")).mkdir()
    models = repository(one_version)
    with capture_logs() as logs:
        await models.refresh()
        publish(one_version, "softmax", 2)
        await models.refresh()
    assert models.catalogue.find("softmax").card.version == 2
    with pytest.raises(NotReady, match=r"'loop' cannot answer\. .*loop cannot be read \(Too many levels of"):
        models.catalogue.find("loop")
    with pytest.raises(NotReady, match=r"Model 'odd\\udcff' cannot answer\. .* is not valid UTF-8"):
        models.catalogue.find("odd\\udcff", 3)
    with pytest.raises(BrokenArtefact, match=r"loop cannot be read"):
        await models.load("loop")
    failed = [line["directory"] for line in logs if line["event"] == "model failed"]
    assert failed == [str(one_version / "loop"), str(one_version / "odd\\udcff")]  # once, not with each scan
    (one_version / "loop").unlink()
    await models.refresh()
    assert list(models.catalogue.models) == ["odd\\udcff", "softmax"]


async def test_a_model_that_becomes_unreadable_keeps_answering(one_version: Path, repository: Open) -> None:
    models = repository(one_version)
    await models.refresh()
    aside = (one_version / "softmax").rename(one_version / ".softmax")
    block(one_version / "softmax")
    await models.refresh()
    await models.refresh()
    assert models.catalogue.find("softmax").card.version == 1
    assert "cannot be read" in str(models.catalogue.models["softmax"].reason)
    with pytest.raises(BrokenArtefact, match=r"cannot be read .* Version 1 answers as before\."):
        await models.load("softmax")
    (one_version / "softmax").unlink()
    aside.rename(one_version / "softmax")
    await models.refresh()
    assert models.catalogue.models["softmax"].reason is models.catalogue.models["softmax"][0].reason is None


@pytest.mark.parametrize("name", ["model.json", "saved_model.pb", "loop", os.fsdecode(b"odd\xff")])
async def test_a_version_with_irregular_files_fails_and_an_older_one_answers(
    one_version: Path, repository: Open, name: str
) -> None:
    odd = publish(one_version, "softmax", 2) / name
    odd.unlink(missing_ok=True)
    if name == "loop":
        block(odd)
    else:
        os.mkfifo(odd)
    block(one_version / "softmax" / "3")
    models = repository(one_version)
    await asyncio.wait_for(models.refresh(), 20)
    assert states(models) == {3: "failed", 2: "failed", 1: "ready"}
    reasons = [str(version.reason) for version in models.catalogue.models["softmax"]]
    assert "softmax/3/model.json cannot be read" in reasons[0]
    assert artefact.printable(odd.as_posix()) in reasons[1]
    odd.unlink()
    if name in ("model.json", "saved_model.pb"):
        shutil.rmtree(odd.parent)
        publish(one_version, "softmax", 2)
    await models.refresh()
    assert states(models) == {3: "failed", 2: "ready", 1: "not_loaded"}


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Return an event; while it is not set, reading the folder of models blocks."""
    answers = threading.Event()
    answers.set()
    scandir = os.scandir

    def wait(path: Path) -> object:
        answers.wait()
        return scandir(path)

    monkeypatch.setattr(artefact.os, "scandir", wait)
    yield answers
    answers.set()


@pytest.fixture
def short_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "READ_SECONDS", 0.05)
    monkeypatch.setattr(loader, "CLOSE_SECONDS", 0.05)
    monkeypatch.setattr("app.model_repository.repository.COMMAND_SECONDS", 0.2)


@pytest.mark.usefixtures("short_timeouts")
async def test_a_blocked_disk_blocks_neither_requests_nor_close(
    one_version: Path, repository: Open, disk: threading.Event
) -> None:
    models = repository(one_version)
    await models.refresh()
    disk.clear()
    started = time.monotonic()
    for method in (models.refresh, models.read_cards, models.open, partial(models.load, "softmax")):
        with suppress(NotReady) if method == models.open else pytest.raises(NotReady, match="disk does not answer"):
            await method()
    for _ in range(10):
        with pytest.raises(NotReady):
            await models.read_cards()
    assert models._loader._reading._queue.qsize() < 5  # calls do not pile up
    assert models.catalogue.find("softmax").card.version == 1
    await models.close()
    assert time.monotonic() - started < 5


@pytest.mark.usefixtures("short_timeouts")
async def test_a_disk_blocked_at_the_start_is_reported_until_it_answers(
    one_version: Path, repository: Open, disk: threading.Event
) -> None:
    disk.clear()
    models = repository(one_version)
    await models.open()
    with pytest.raises(NotReady, match="disk does not answer"):
        models.catalogue.find("softmax")
    assert "disk does not answer" in models.catalogue.not_ready_reasons()["softmax"]
    disk.set()
    while not models.catalogue.models:
        await models.open()
    await models.refresh()
    assert models.catalogue.find("softmax").card.version == 1


@pytest.mark.usefixtures("short_timeouts")
async def test_a_load_command_is_carried_out_even_if_its_request_times_out(
    one_version: Path, repository: Open, disk: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = repository(one_version)
    await models.open()
    slow = threading.Event()
    read_card = artefact.read_card
    monkeypatch.setattr(loader, "read_card", lambda directory: (slow.wait(), read_card(directory))[1])
    for _ in range(2):
        with pytest.raises(NotReady, match=r"Loading model 'softmax' takes more than 0\.2 seconds"):
            await models.load("softmax")
    slow.set()
    await models.refresh()
    assert models.catalogue.find("softmax").card.version == 1


async def test_the_error_of_an_unreadable_folder_of_models_is_reported(tmp_path: Path, repository: Open) -> None:
    (tmp_path / "models").mkdir()
    models = repository(tmp_path / "models")
    (tmp_path / "models").rmdir()
    with pytest.raises(NotReady, match=r"cannot be read: .*No such file"):
        await models.refresh()
    for name in ("softmax", "convnet"):
        assert "No such file" in models.catalogue.not_ready_reasons()[name]
    with pytest.raises(NotReady, match="No such file"):
        models.catalogue.find("softmax")


def finder_states(models: ModelRepository) -> dict[int, str]:
    return {version.number: version.state for version in models.catalogue.models["finder"]}


async def test_the_finder_is_loaded_pinned_unloaded_and_loaded_again(one_version: Path, repository: Open) -> None:
    for number in (1, 2):
        publish_finder(one_version, number)
    models = repository(one_version, model_versions="finder:1")
    await models.refresh()
    finder = models.catalogue.find_finder()
    assert finder.card.version == 1
    assert finder_states(models) == {2: "ready", 1: "ready"}
    pages = draw_pages(2)
    np.testing.assert_allclose((await finder.run(pages)).ink, Darkness()(pages).ink, atol=1e-6)
    np.testing.assert_allclose(finder.run_blocking(pages).cores, Darkness()(pages).cores, atol=1e-6)

    await models.unload("finder")
    assert finder_states(models) == {2: "not_loaded", 1: "unloading"}
    with pytest.raises(FinderUnavailable, match="has been unloaded"):
        models.catalogue.find_finder()
    assert (await finder.run(pages)).ink.shape == (2, 96, 96)
    del finder
    await models.refresh()
    assert finder_states(models) == {2: "not_loaded", 1: "not_loaded"}
    await models.load("finder")
    assert models.catalogue.find_finder().card.version == 1


async def test_a_broken_finder_has_a_reason_and_the_previous_one_runs(one_version: Path, repository: Open) -> None:
    publish_finder(one_version, 1)
    models = repository(one_version)
    await models.refresh()
    corrupt(publish_finder(one_version, 2))
    await models.refresh()
    assert finder_states(models) == {2: "failed", 1: "ready"}
    assert models.catalogue.find_finder().card.version == 1
    with pytest.raises(BrokenArtefact, match=r"saved_model\.pb has been altered.* Version 1 answers as before\."):
        await models.load("finder")
    assert models.catalogue.find("softmax").card.version == 1


async def test_a_finder_in_use_is_refused_after_the_end_of_the_service(one_version: Path, repository: Open) -> None:
    publish_finder(one_version)
    models = repository(one_version)
    await models.refresh()
    finder = models.catalogue.find_finder()
    await models.close()
    with pytest.raises(FinderUnavailable, match="being unloaded"):
        await finder.run(draw_pages(1))
