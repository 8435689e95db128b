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

from app.errors import BrokenArtefact, NotReady, UnknownModel, UnknownVersion
from app.model_repository import artefact, loader
from app.model_repository.control import ModelControl
from app.model_repository.repository import ModelRepository
from app.observability.metrics import ServiceMetrics
from app.settings import Settings
from tests.conftest import publish

pytestmark = pytest.mark.anyio

Open = Callable[..., ModelRepository]


@pytest.fixture
async def repository(tmp_path: Path) -> AsyncIterator[Open]:
    """Give a way to open repositories of a folder, as several workers do."""
    (tmp_path / "orders").mkdir()
    async with AsyncExitStack() as stack:

        def open_(models_dir: Path, **settings: object) -> ModelRepository:
            found = Settings.model_validate({"models_dir": models_dir, **settings})
            opened = ModelRepository(found, ServiceMetrics(), ModelControl(tmp_path / "orders"))
            stack.push_async_callback(opened.close)
            return opened

        yield open_


def spoil(directory: Path) -> None:
    (directory / "saved_model.pb").write_bytes(b"")


def mend(directory: Path) -> None:
    shutil.copy(directory.parent / "1" / "saved_model.pb", directory)


@pytest.fixture
def one_version(models_dir: Path) -> Path:
    """Give a folder in which there is softmax alone, in version 1."""
    shutil.rmtree(models_dir / "convnet")
    return models_dir


@pytest.fixture
def three_versions(one_version: Path) -> Path:
    """Give a folder in which softmax, alone, has the versions 1, 2 and 3."""
    publish(one_version, "softmax", 2)
    publish(one_version, "softmax", 3)
    return one_version


def states(models: ModelRepository) -> dict[int, str]:
    return {version.number: version.state for version in models.models["softmax"]}


async def test_the_newest_version_answers_unless_another_is_asked_for(three_versions: Path, repository: Open) -> None:
    models = repository(three_versions, keep_versions=2)
    await models.refresh()
    assert models.find("softmax").card.version == 3
    assert models.find("softmax", 2).card.version == 2
    assert models.find("softmax", label="latest").card.version == 3
    assert [served.card.version for served in models.served()] == [3]


async def test_only_the_newest_versions_are_loaded(three_versions: Path, repository: Open) -> None:
    models = repository(three_versions, keep_versions=2)
    await models.refresh()
    assert states(models) == {3: "ready", 2: "ready", 1: "not_loaded"}
    with pytest.raises(UnknownVersion, match=r"Model 'softmax' has no version 1\. Available versions: 3, 2\."):
        models.find("softmax", 1)


async def test_the_cards_of_what_is_not_loaded_can_be_read(three_versions: Path, repository: Open) -> None:
    (three_versions / "softmax" / "2" / "model.json").write_text("{}")
    models = repository(three_versions)
    await models.open()
    cards = await models.cards()
    assert [card.version for card in cards.values()] == [3, 1]


async def test_a_pinned_version_answers_and_the_newest_stands_behind_it(three_versions: Path, repository: Open) -> None:
    models = repository(three_versions, model_versions="softmax:1", keep_versions=1)
    await models.refresh()
    assert models.find("softmax").card.version == 1
    assert models.labels("softmax") == {"stable": 1, "latest": 3}
    assert states(models) == {3: "ready", 2: "not_loaded", 1: "ready"}


async def test_an_unknown_label_is_answered_with_those_there_are(one_version: Path, repository: Open) -> None:
    models = repository(one_version)
    await models.refresh()
    with pytest.raises(UnknownVersion, match=r"no label 'canary'\. Labels: stable, latest\."):
        models.find("softmax", label="canary")


async def test_a_new_version_takes_over(one_version: Path, repository: Open) -> None:
    models = repository(one_version, keep_versions=1)
    await models.refresh()
    publish(one_version, "softmax", 2)
    await models.refresh()
    assert models.find("softmax").card.version == 2
    assert states(models) == {2: "ready", 1: "not_loaded"}


async def test_what_began_on_the_old_version_ends_on_it(one_version: Path, repository: Open) -> None:
    models = repository(one_version, keep_versions=1)
    await models.refresh()
    old = models.find("softmax")
    publish(one_version, "softmax", 2)
    await models.refresh()
    assert states(models) == {2: "ready", 1: "unloading"}
    assert (await old.batcher.score(np.zeros((1, 28, 28), np.uint8))).probabilities.shape == (1, 10)
    del old
    await models.refresh()
    assert states(models) == {2: "ready", 1: "not_loaded"}


async def test_a_new_model_is_found(one_version: Path, models_dir: Path, repository: Open) -> None:
    models = repository(one_version)
    await models.refresh()
    shutil.copytree(one_version / "softmax", one_version / ".perceptron")
    (one_version / ".perceptron").rename(one_version / "perceptron")
    await models.refresh()
    with pytest.raises(NotReady, match="says that it is softmax/1"):
        models.find("perceptron")
    shutil.rmtree(one_version / "perceptron")
    await models.refresh()
    with pytest.raises(UnknownModel):
        models.find("perceptron")


async def test_a_broken_version_says_why_and_the_one_before_it_answers(three_versions: Path, repository: Open) -> None:
    spoil(three_versions / "softmax" / "3")
    models = repository(three_versions, keep_versions=1)
    await models.refresh()
    assert models.find("softmax").card.version == 2
    broken = models.models["softmax"][0]
    assert broken.state == "failed"
    assert "saved_model.pb has been altered" in str(broken.reason)
    with pytest.raises(NotReady, match=r"saved_model\.pb has been altered"):
        models.find("softmax", 3)


async def test_a_broken_version_is_tried_again_when_its_files_change(one_version: Path, repository: Open) -> None:
    models = repository(one_version)
    second = publish(one_version, "softmax", 2)
    spoil(second)
    await models.refresh()
    tried = models.models["softmax"][0].fingerprint
    await models.refresh()
    assert models.models["softmax"][0].fingerprint is tried
    mend(second)
    await models.refresh()
    assert models.find("softmax").card.version == 2


async def test_unpublishing_rolls_back(three_versions: Path, repository: Open) -> None:
    models = repository(three_versions, keep_versions=1)
    await models.refresh()
    third = three_versions / "softmax" / "3"
    third.rename(three_versions / "softmax" / ".3")
    await models.refresh()
    assert models.find("softmax").card.version == 2
    assert list(states(models)) == [2, 1]
    (three_versions / "softmax" / ".3").rename(third)
    await models.refresh()
    assert models.find("softmax").card.version == 3


async def test_a_version_published_anew_under_its_number_is_loaded_anew(one_version: Path, repository: Open) -> None:
    models = repository(one_version)
    second = publish(one_version, "softmax", 2)
    await models.refresh()
    before = models.find("softmax")
    shutil.rmtree(second)
    publish(one_version, "softmax", 2)
    await models.refresh()
    assert models.find("softmax").card.version == 2
    assert models.find("softmax") is not before


async def test_files_altered_under_a_version_that_answers_are_told_and_harm_nothing(
    one_version: Path, repository: Open
) -> None:
    models = repository(one_version)
    await models.refresh()
    spoil(one_version / "softmax" / "1")
    await models.refresh()
    assert models.find("softmax").card.version == 1
    assert "has been altered" in str(models.models["softmax"][0].reason)


async def test_unloading_reaches_every_worker_and_lasts_until_it_is_loaded(one_version: Path, repository: Open) -> None:
    one, other = repository(one_version), repository(one_version)
    await one.refresh()
    await other.refresh()
    await one.unload("softmax")
    with pytest.raises(NotReady, match="Model 'softmax' has been unloaded"):
        one.find("softmax")
    await other.refresh()
    for models in (one, other):
        assert states(models) == {1: "not_loaded"}
        assert "has been unloaded" in models.missing()["softmax"]
    await other.load("softmax")
    await one.refresh()
    assert one.find("softmax").card.version == other.find("softmax").card.version == 1


async def test_loading_looks_at_once_and_says_what_is_wrong(one_version: Path, repository: Open) -> None:
    models = repository(one_version)
    await models.load("softmax")
    assert models.find("softmax").card.version == 1
    spoil(publish(one_version, "softmax", 2))
    with pytest.raises(BrokenArtefact, match=r"saved_model\.pb has been altered.* Version 1 answers as before\."):
        await models.load("softmax")
    with pytest.raises(UnknownModel):
        await models.load("../models/softmax")
    with pytest.raises(UnknownModel):
        await models.unload("perceptron")


async def test_an_unknown_model_is_answered_with_those_there_are(one_version: Path, repository: Open) -> None:
    models = repository(one_version)
    await models.open()
    with pytest.raises(UnknownModel, match=r"no model 'perceptron'\. Available models: softmax\."):
        models.find("perceptron")


async def test_a_model_that_is_loading_is_not_ready(one_version: Path, repository: Open) -> None:
    models = repository(one_version)
    with pytest.raises(NotReady, match="still being read"):
        models.find("softmax")
    await models.open()
    assert states(models) == {1: "waiting"}
    with pytest.raises(NotReady, match="still loading"):
        models.find("softmax")


async def test_a_model_without_a_version_is_not_ready(tmp_path: Path, repository: Open) -> None:
    (tmp_path / "models" / "softmax").mkdir(parents=True)
    models = repository(tmp_path / "models")
    await models.open()
    with pytest.raises(NotReady, match="has no version"):
        models.find("softmax")


async def test_what_is_required_and_missing_is_named(one_version: Path, repository: Open) -> None:
    models = repository(one_version, required_models="softmax,convnet")
    assert "still being read" in models.missing()["softmax"]
    await models.open()
    assert "still loading" in models.missing()["softmax"]
    await models.refresh()
    assert list(models.missing()) == ["convnet"]
    assert "There is no model 'convnet'" in models.missing()["convnet"]


def block(folder: Path) -> None:
    """Make a model of a link that leads to itself: unlike rights, it keeps root out too."""
    folder.symlink_to(folder.name)


async def test_a_model_that_cannot_be_read_is_put_aside_and_the_others_are_followed(
    one_version: Path, repository: Open
) -> None:
    block(one_version / "loop")
    (one_version / os.fsdecode(b"odd\xff")).mkdir()
    models = repository(one_version)
    with capture_logs() as logs:
        await models.refresh()
        publish(one_version, "softmax", 2)
        await models.refresh()
    assert models.find("softmax").card.version == 2
    with pytest.raises(NotReady, match=r"'loop' cannot answer\. .*loop cannot be read \(Too many levels of"):
        models.find("loop")
    with pytest.raises(NotReady, match=r"Model 'odd\\udcff' cannot answer\. .* is not valid UTF-8"):
        models.find("odd\\udcff", 3)
    with pytest.raises(BrokenArtefact, match=r"loop cannot be read"):
        await models.load("loop")
    failed = [line["directory"] for line in logs if line["event"] == "model failed"]
    assert failed == [str(one_version / "loop"), str(one_version / "odd\\udcff")]  # once, not at each look
    (one_version / "loop").unlink()
    await models.refresh()
    assert list(models.models) == ["odd\\udcff", "softmax"]


async def test_a_model_that_can_no_longer_be_read_answers_on(one_version: Path, repository: Open) -> None:
    models = repository(one_version)
    await models.refresh()
    aside = (one_version / "softmax").rename(one_version / ".softmax")
    block(one_version / "softmax")
    await models.refresh()
    await models.refresh()
    assert models.find("softmax").card.version == 1
    assert "cannot be read" in str(models.models["softmax"].reason)
    with pytest.raises(BrokenArtefact, match=r"cannot be read .* Version 1 answers as before\."):
        await models.load("softmax")
    (one_version / "softmax").unlink()
    aside.rename(one_version / "softmax")
    await models.refresh()
    assert models.models["softmax"].reason is models.models["softmax"][0].reason is None


@pytest.mark.parametrize("name", ["model.json", "saved_model.pb", "loop", os.fsdecode(b"odd\xff")])
async def test_a_version_of_odd_files_is_put_aside_and_an_older_one_answers(
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
    reasons = [str(version.reason) for version in models.models["softmax"]]
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
    """Give an event; while it is not set, reads of the folder of models do not come back."""
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
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "READ_SECONDS", 0.05)
    monkeypatch.setattr(loader, "CLOSE_SECONDS", 0.05)
    monkeypatch.setattr("app.model_repository.repository.CONTROL_SECONDS", 0.2)


@pytest.mark.usefixtures("soon")
async def test_a_disk_that_does_not_answer_holds_nobody_up(
    one_version: Path, repository: Open, disk: threading.Event
) -> None:
    models = repository(one_version)
    await models.refresh()
    disk.clear()
    started = time.monotonic()
    for ask in (models.look, models.cards, models.open, partial(models.load, "softmax")):
        with suppress(NotReady) if ask == models.open else pytest.raises(NotReady, match="disk does not answer"):
            await ask()
    for _ in range(10):
        with pytest.raises(NotReady):
            await models.cards()
    assert models._loader._reading._queue.qsize() < 5  # what cannot be done does not pile up
    assert models.find("softmax").card.version == 1
    await models.close()
    assert time.monotonic() - started < 5


@pytest.mark.usefixtures("soon")
async def test_a_disk_that_does_not_answer_at_the_start_is_named_until_it_does(
    one_version: Path, repository: Open, disk: threading.Event
) -> None:
    disk.clear()
    models = repository(one_version)
    await models.open()
    with pytest.raises(NotReady, match="disk does not answer"):
        models.find("softmax")
    assert "disk does not answer" in models.missing()["softmax"]
    disk.set()
    while not models.models:
        await models.open()
    await models.refresh()
    assert models.find("softmax").card.version == 1


@pytest.mark.usefixtures("soon")
async def test_what_is_loaded_by_hand_is_loaded_even_if_whoever_asked_is_sent_away(
    one_version: Path, repository: Open, disk: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = repository(one_version)
    await models.open()
    slow = threading.Event()
    read_card = artefact.read_card
    monkeypatch.setattr(loader, "read_card", lambda directory: (slow.wait(), read_card(directory))[1])
    for _ in range(2):
        with pytest.raises(NotReady, match=r"To load model 'softmax' takes more than 0\.2 seconds"):
            await models.load("softmax")
    slow.set()
    await models.refresh()
    assert models.find("softmax").card.version == 1


async def test_a_folder_of_models_that_cannot_be_read_is_named(tmp_path: Path, repository: Open) -> None:
    (tmp_path / "models").mkdir()
    models = repository(tmp_path / "models")
    (tmp_path / "models").rmdir()
    with pytest.raises(NotReady, match=r"cannot be read: .*No such file"):
        await models.refresh()
    for name in ("softmax", "convnet"):
        assert "No such file" in models.missing()[name]
    with pytest.raises(NotReady, match="No such file"):
        models.find("softmax")
