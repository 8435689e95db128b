from pathlib import Path
from unittest.mock import sentinel

import pytest

from app.model_repository.versions import LoadedVersion, ModelVersions, Version


def versions(*numbers: int, keep: int = 2, pinned: int | None = None) -> ModelVersions:
    """Make a model with versions on disk, none of them loaded."""
    made = ModelVersions(Path("models/softmax"), keep=keep, pinned=pinned)
    made.update(numbers)
    return made


def load(*loaded: Version) -> None:
    for version in loaded:
        version.mark_ready(LoadedVersion(sentinel.card, sentinel.batcher), ())


def numbers(found: list[Version]) -> list[int]:
    return [version.number for version in found]


def ready(model: ModelVersions) -> dict[int | str | None, int]:
    """Return the number of the version that answers for each number and label."""
    by_id = {id(version.loaded): version.number for version in model}
    return {key: by_id[id(loaded)] for key, loaded in model.ready_by_key()}


def test_the_newest_versions_are_wanted() -> None:
    assert numbers(versions(1, 2, 10).wanted()) == [10, 2]
    assert numbers(versions(1, 2, 10, keep=1).wanted()) == [10]


def test_the_pinned_version_is_wanted_first() -> None:
    assert numbers(versions(1, 2, 3, pinned=1).wanted()) == [1, 3, 2]
    assert numbers(versions(1, 2, 3, pinned=2).wanted()) == [2, 3]


def test_an_older_version_is_wanted_in_place_of_a_failed_one() -> None:
    model = versions(1, 2, 3)
    model[0].mark_failed("broken", ())
    assert numbers(model.wanted()) == [2, 1]


def test_no_version_is_unloaded_before_its_replacement_is_loaded() -> None:
    model = versions(1, keep=1)
    load(model[0])
    model.update([2, 1])
    assert model.to_unload() == []
    load(model[0])
    assert numbers(model.to_unload()) == [1]


def test_a_version_removed_from_disk_answers_until_another_is_loaded() -> None:
    model = versions(1, 2, keep=1)
    load(model[0])
    model.update([1])
    assert ready(model)[None] == 2
    assert model.to_unload() == []
    load(model[1])
    assert ready(model)[None] == 1
    assert numbers(model.to_unload()) == [2]


def test_a_version_removed_from_disk_is_unloaded_even_if_it_was_the_last() -> None:
    model = versions(1)
    load(model[0])
    model.update([])
    assert numbers(model.to_unload()) == [1]
    model[0].mark_unloading()
    assert len(model) == 1  # for as long as it is in memory
    model[0].state = "not_loaded"
    model.prune()
    assert len(model) == 0


def test_versions_are_ready_by_number_label_and_default() -> None:
    model = versions(1, 2, 3)
    load(*model[:2])
    assert ready(model) == {3: 3, 2: 2, "latest": 3, "stable": 3, None: 3}
    pinned = versions(1, 2, pinned=1)
    load(*pinned)
    assert ready(pinned) == {2: 2, 1: 1, "latest": 2, "stable": 1, None: 1}


def test_no_other_version_answers_in_place_of_the_pinned_one() -> None:
    model = versions(1, 2, pinned=1)
    load(model[0])
    assert ready(model) == {2: 2, "latest": 2}
    assert "still loading" not in model.not_ready_reason(None)


def test_no_version_of_an_unloaded_model_is_wanted() -> None:
    model = versions(1)
    load(model[0])
    model.is_unloaded = True
    assert model.wanted() == []
    assert numbers(model.to_unload()) == [1]
    assert "has been unloaded" in model.not_ready_reason(None)


def test_broken_new_files_do_not_affect_the_loaded_version() -> None:
    model = versions(1)
    load(model[0])
    model[0].mark_failed("altered", ())
    assert (model[0].state, model[0].reason) == ("ready", "altered")
    assert ready(model)[None] == 1
    load(model[0])
    assert model[0].reason is None


@pytest.mark.parametrize(
    ("model", "number", "expected"),
    [
        (versions(), None, "It has no version"),
        (versions(1, 2, pinned=7), None, "pinned to version 7, which it does not have. Versions on disk: 2, 1"),
    ],
)
def test_the_reason_why_no_version_is_ready(model: ModelVersions, number: int | None, expected: str) -> None:
    assert expected in model.not_ready_reason(number)


def test_the_reason_why_a_version_is_not_ready() -> None:
    model = versions(1, 2)
    model[0].state = "waiting"
    model[1].mark_failed("variables.index is missing.", ())
    assert "still loading" in model.not_ready_reason(2)
    assert "variables.index is missing." in model.not_ready_reason(1)
    assert "still loading" in model.not_ready_reason(None)
