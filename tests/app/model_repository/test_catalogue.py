from pathlib import Path
from unittest.mock import sentinel

import pytest
from structlog.testing import capture_logs

from app.errors import FinderUnavailable, NotAClassifier, NotReady, UnknownModel, UnknownVersion
from app.model_repository.catalogue import ModelCatalogue
from app.model_repository.control import Command
from app.model_repository.scan import Scan
from app.model_repository.versions import LoadedFinder, LoadedVersion
from app.settings import Settings

MODELS = Path("models")


def catalogue(scan: Scan, **settings: object) -> ModelCatalogue:
    made = ModelCatalogue(Settings.model_validate({"models_dir": MODELS, **settings}))
    made.listing_error = None
    made.apply(scan)
    return made


def scan(
    versions: dict[str, list[int]],
    *,
    listing_errors: dict[str, str] | None = None,
    commands: dict[str, Command] | None = None,
) -> Scan:
    return Scan(versions, listing_errors or {}, {MODELS / "softmax" / "1": ("changed",)}, commands or {})  # type: ignore[dict-item]


def load(models: ModelCatalogue) -> None:
    for version in models.to_load():
        version.mark_ready(LoadedVersion(sentinel.card, sentinel.batcher), ())
    models.update_ready()


def test_a_loaded_version_is_found_by_number_label_and_default() -> None:
    models = catalogue(scan({"softmax": [2, 1]}), model_versions="softmax:1")
    load(models)
    stable, latest = models.find("softmax", 1), models.find("softmax", 2)
    assert models.find("softmax") is models.find("softmax", label="stable") is stable
    assert models.find("softmax", label="latest") is latest
    assert models.default_version("softmax") is stable
    assert list(models.default_versions()) == [stable]


def test_the_error_for_an_unknown_label_names_the_labels() -> None:
    models = catalogue(scan({"softmax": [1]}))
    load(models)
    with pytest.raises(UnknownVersion, match=r"no label 'canary'\. Labels: stable, latest\."):
        models.find("softmax", label="canary")


def test_the_error_for_an_unknown_model_names_the_models() -> None:
    with pytest.raises(UnknownModel, match=r"no model 'perceptron'\. Available models: softmax\."):
        catalogue(scan({"softmax": [1]})).find("perceptron")


def test_a_model_without_a_version_is_not_ready() -> None:
    with pytest.raises(NotReady, match="has no version"):
        catalogue(scan({"softmax": []})).find("softmax")


def test_required_models_that_cannot_answer_are_missing() -> None:
    models = catalogue(scan({"softmax": [1]}), required_models="softmax,convnet")
    assert "still loading" in models.not_ready_reasons()["softmax"]
    assert "There is no model 'convnet'" in models.not_ready_reasons()["convnet"]
    models.listing_error = "The disk does not answer."
    assert models.not_ready_reasons()["convnet"] == "The disk does not answer."


def test_the_default_versions_of_all_models_are_loaded_first() -> None:
    models = catalogue(scan({"convnet": [3, 2, 1], "softmax": [2, 1]}), keep_versions=2)
    order = [(version.directory.parent.name, version.number) for version in models.to_load()]
    assert order == [("convnet", 3), ("softmax", 2), ("convnet", 2), ("softmax", 1)]


def test_a_failed_version_is_loaded_again_when_its_files_change_or_a_command_is_issued() -> None:
    models = catalogue(scan({"softmax": [1]}))
    (version,) = models.to_load()
    version.mark_failed("altered", ("changed",))  # type: ignore[arg-type]
    models.apply(scan({"softmax": [1]}))
    assert models.to_load() == []
    assert models.broken_reason("softmax") == "altered"
    models.apply(scan({"softmax": [1]}, commands={"softmax": Command("load", 1)}))
    assert models.to_load() == [version]
    version.mark_failed("altered", ())
    models.apply(scan({"softmax": [1]}, commands={"softmax": Command("load", 1)}))
    assert models.to_load() == [version]


def test_an_unload_command_supersedes_all_versions() -> None:
    models = catalogue(scan({"softmax": [1]}))
    load(models)
    models.apply(scan({"softmax": [1]}, commands={"softmax": Command("unload", 1)}))
    assert models.to_unload() == list(models.versions())


def test_a_model_is_forgotten_when_its_folder_and_its_versions_are_gone() -> None:
    models = catalogue(scan({"softmax": [1]}))
    models.apply(scan({}))
    assert models.models == {}


def test_the_reason_of_an_unreadable_model_is_logged_once() -> None:
    unreadable = scan({}, listing_errors={"loop": "loop cannot be read."})
    with capture_logs() as logs:
        models = catalogue(unreadable)
        models.apply(unreadable)
    assert [line["reason"] for line in logs] == ["loop cannot be read."]
    assert models.broken_reason("loop") == "loop cannot be read."


def test_the_finder_is_found_and_classifies_nothing() -> None:
    models = catalogue(scan({"convnet": [1], "finder": [2, 1], "softmax": [1]}), model_versions="finder:1")
    finders = {}
    for version in models.to_load():
        if version.directory.parent.name == "finder":
            finders[version.number] = LoadedFinder(sentinel.card, sentinel.runner)
            version.mark_ready(finders[version.number], ())
    models.update_ready()
    assert models.find_finder() is models.find_any("finder") is finders[1]
    assert models.find_any("finder", 2) is models.find_any("finder", label="latest") is finders[2]
    for version in (None, 2, 3):
        with pytest.raises(NotAClassifier, match=r"does not classify images\. Choose convnet or softmax\.$"):
            models.find("finder", version)


def test_the_finder_is_not_among_the_classifiers_to_choose_from() -> None:
    models = catalogue(scan({"convnet": [1], "finder": [1]}))
    with pytest.raises(UnknownModel, match=r"Available models: convnet\."):
        models.find("perceptron")
    with pytest.raises(UnknownModel, match=r"Available models: convnet, finder\."):
        models.find_any("perceptron")
    with pytest.raises(UnknownModel, match=r"no model 'finder'\. Available models: convnet\."):
        catalogue(scan({"convnet": [1]})).find("finder")


def test_an_unavailable_finder_says_why() -> None:
    models = catalogue(scan({"finder": [1]}))
    (version,) = models.to_load()
    with pytest.raises(FinderUnavailable, match=r"still loading\. Try again in a second"):
        models.find_finder()
    version.mark_failed("finder/1 has been altered. Publish the version again.", ())
    with pytest.raises(FinderUnavailable, match=r"has been altered\. Publish the version again\.$"):
        models.find_finder()
    models = catalogue(scan({"finder": [1]}, commands={"finder": Command("unload", 1)}))
    with pytest.raises(FinderUnavailable, match=r"has been unloaded\. Load it again"):
        models.find_finder()
    models = catalogue(scan({}))
    with pytest.raises(FinderUnavailable, match=r"There is no model 'finder' in models\. Train and publish one"):
        models.find_finder()
    models.listing_error = "The disk does not answer."
    with pytest.raises(FinderUnavailable, match="The disk does not answer"):
        models.find_finder()


def test_required_models_are_loaded_before_others() -> None:
    models = catalogue(scan({"finder": [1], "convnet": [2, 1], "softmax": [1]}), keep_versions=2)
    order = [(version.directory.parent.name, version.number) for version in models.to_load()]
    assert order == [("convnet", 2), ("softmax", 1), ("finder", 1), ("convnet", 1)]
