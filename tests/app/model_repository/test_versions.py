from pathlib import Path
from unittest.mock import sentinel

import pytest

from app.model_repository.versions import ServedVersion, Version, Versions


def versions(*numbers: int, keep: int = 2, pinned: int | None = None) -> Versions:
    """Make a model with versions on disk, of which none is loaded."""
    made = Versions(Path("models/softmax"), keep=keep, pinned=pinned)
    made.publish(numbers)
    return made


def load(*loaded: Version) -> None:
    for version in loaded:
        version.serve(ServedVersion(sentinel.card, sentinel.batcher), ())


def numbers(found: list[Version]) -> list[int]:
    return [version.number for version in found]


def answering(model: Versions) -> dict[int | str | None, int]:
    """Say which version answers for each number and label."""
    by_served = {id(version.served): version.number for version in model}
    return {key: by_served[id(served)] for key, served in model.answering()}


def test_the_newest_are_wanted() -> None:
    assert numbers(versions(1, 2, 10).wanted()) == [10, 2]
    assert numbers(versions(1, 2, 10, keep=1).wanted()) == [10]


def test_the_pinned_version_is_wanted_first_however_old() -> None:
    assert numbers(versions(1, 2, 3, pinned=1).wanted()) == [1, 3, 2]
    assert numbers(versions(1, 2, 3, pinned=2).wanted()) == [2, 3]


def test_a_broken_version_makes_room_for_an_older_one() -> None:
    model = versions(1, 2, 3)
    model[0].fail("broken", ())
    assert numbers(model.wanted()) == [2, 1]


def test_nothing_goes_before_what_replaces_it_is_there() -> None:
    model = versions(1, keep=1)
    load(model[0])
    model.publish([2, 1])
    assert model.superseded() == []
    load(model[0])
    assert numbers(model.superseded()) == [1]


def test_an_unpublished_version_answers_until_there_is_another() -> None:
    model = versions(1, 2, keep=1)
    load(model[0])
    model.publish([1])
    assert answering(model)[None] == 2
    assert model.superseded() == []
    load(model[1])
    assert answering(model)[None] == 1
    assert numbers(model.superseded()) == [2]


def test_an_unpublished_version_goes_even_if_it_was_the_last() -> None:
    model = versions(1)
    load(model[0])
    model.publish([])
    assert numbers(model.superseded()) == [1]
    model[0].retire()
    assert len(model) == 1  # for as long as it is in memory
    model[0].state = "not_loaded"
    model.tidy()
    assert len(model) == 0


def test_labels() -> None:
    model = versions(1, 2, 3)
    load(*model[:2])
    assert answering(model) == {3: 3, 2: 2, "latest": 3, "stable": 3, None: 3}
    pinned = versions(1, 2, pinned=1)
    load(*pinned)
    assert answering(pinned) == {2: 2, 1: 1, "latest": 2, "stable": 1, None: 1}


def test_nothing_answers_in_the_place_of_a_pinned_version() -> None:
    model = versions(1, 2, pinned=1)
    load(model[0])
    assert answering(model) == {2: 2, "latest": 2}
    assert "still loading" not in model.why_not_ready(None)


def test_an_unloaded_model_wants_nothing() -> None:
    model = versions(1)
    load(model[0])
    model.unloaded = True
    assert model.wanted() == []
    assert numbers(model.superseded()) == [1]
    assert "has been unloaded" in model.why_not_ready(None)


def test_new_files_that_are_broken_do_not_end_what_was_loaded() -> None:
    model = versions(1)
    load(model[0])
    model[0].fail("altered", ())
    assert (model[0].state, model[0].reason) == ("ready", "altered")
    assert answering(model)[None] == 1
    load(model[0])
    assert model[0].reason is None


@pytest.mark.parametrize(
    ("model", "number", "said"),
    [
        (versions(), None, "It has no version"),
        (versions(1, 2, pinned=7), None, "pinned to version 7, which it does not have. Versions on disk: 2, 1"),
    ],
)
def test_why_nothing_answers(model: Versions, number: int | None, said: str) -> None:
    assert said in model.why_not_ready(number)


def test_why_a_version_is_not_ready() -> None:
    model = versions(1, 2)
    model[0].state = "waiting"
    model[1].fail("variables.index is missing.", ())
    assert "still loading" in model.why_not_ready(2)
    assert "variables.index is missing." in model.why_not_ready(1)
    assert "still loading" in model.why_not_ready(None)
