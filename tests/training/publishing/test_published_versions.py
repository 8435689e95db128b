from pathlib import Path

import pytest

from training.errors import ArtefactError
from training.publishing.published_versions import (
    find_teacher,
    find_version,
    list_versions,
    list_withdrawn_versions,
    next_version,
    promote,
    resolve_version,
    rollback,
)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Return a folder of models with three versions of one model, and other folders beside them."""
    for name in ("2", "9", "10", ".11-half", "notes", "0", "007", "٣", ".withdrawn-08"):
        (tmp_path / "tiny" / name).mkdir(parents=True)
        (tmp_path / "tiny" / name / "name").write_text(name)
    return tmp_path


def test_versions_are_numbers_in_order(models: Path) -> None:
    assert list_versions(models / "tiny") == [2, 9, 10]
    assert list_versions(models / "other") == list_withdrawn_versions(models / "tiny") == []
    assert next_version(models / "tiny") == 11
    assert next_version(models / "other") == 1


def test_the_highest_version_is_the_default(models: Path) -> None:
    assert find_version(models, "tiny").name == resolve_version(models, "tiny").name == "10"
    assert find_version(models, "tiny", 2) == resolve_version(models, "tiny/2") == models / "tiny" / "2"


def test_a_missing_version_raises_an_error_with_the_available_ones(models: Path) -> None:
    with pytest.raises(ArtefactError, match=r"^Model 'tiny' has no version 3\. Available versions: 2, 9, 10\.$"):
        find_version(models, "tiny", 3)
    with pytest.raises(ArtefactError, match=r"^Model 'tiny' has no version 0\."):
        find_version(models, "tiny", 0)
    with pytest.raises(
        ArtefactError, match=r"^Model 'other' has no version in .*: softmax, convnet-large, convnet, finder\.$"
    ):
        resolve_version(models, "other")
    with pytest.raises(ArtefactError, match=r"Train one: python -m training train softmax --models "):
        resolve_version(models, "softmax")
    with pytest.raises(ArtefactError, match="'tiny/two' is not a version"):
        resolve_version(models, "tiny/two")


def test_a_missing_teacher_raises_an_error_with_the_options(models: Path) -> None:
    assert find_teacher(models, "tiny/9") == models / "tiny" / "9"
    for missing in ("tiny/3", "other/1"):
        with pytest.raises(
            ArtefactError,
            match=rf"^The teacher {missing} is not in .*\. Add it\. Or train without a teacher: --without-teacher$",
        ):
            find_teacher(models, missing)
    with pytest.raises(ArtefactError, match=r"Train it: python -m training train convnet-large --models .*\. Or train"):
        find_teacher(models, "convnet-large")


def test_a_withdrawn_teacher_raises_an_error_that_says_how_to_restore_it(models: Path) -> None:
    rollback(models, "tiny")
    with pytest.raises(
        ArtefactError,
        match=r"It was withdrawn: rename .*/tiny/\.withdrawn-10 to 10\. Or train without",
    ):
        find_teacher(models, "tiny/10")


def test_rollback_withdraws_the_highest_version_and_reserves_its_number(models: Path) -> None:
    assert rollback(models, "tiny").name == "9"
    assert (list_versions(models / "tiny"), list_withdrawn_versions(models / "tiny")) == ([2, 9], [10])
    assert next_version(models / "tiny") == 11


def test_the_only_version_cannot_be_rolled_back(models: Path) -> None:
    rollback(models, "tiny")
    rollback(models, "tiny")
    with pytest.raises(ArtefactError, match="is the only version of 'tiny'"):
        rollback(models, "tiny")
    assert list_versions(models / "tiny") == [2]


def test_promote_restores_a_withdrawn_version(models: Path) -> None:
    rollback(models, "tiny")
    assert promote(models, "tiny", 10) == models / "tiny" / "10"
    assert (models / "tiny" / "10" / "name").read_text() == "10"
    assert (list_versions(models / "tiny"), list_withdrawn_versions(models / "tiny")) == ([2, 9, 10], [])


def test_promote_withdraws_higher_versions(models: Path) -> None:
    assert promote(models, "tiny", 2).name == "2"
    assert find_version(models, "tiny").name == "2"
    assert list_withdrawn_versions(models / "tiny") == [9, 10]
    promote(models, "tiny", 9)
    assert (list_versions(models / "tiny"), list_withdrawn_versions(models / "tiny")) == ([2, 9], [10])


def test_promote_rejects_a_version_that_was_never_published(models: Path) -> None:
    rollback(models, "tiny")
    with pytest.raises(ArtefactError, match=r"no version 11 in .*, published or withdrawn\. Versions: 2, 9, 10\.$"):
        promote(models, "tiny", 11)
    with pytest.raises(ArtefactError, match=r"Versions: none\.$"):
        promote(models, "other", 1)
