import json
import shutil
from pathlib import Path

import pytest

from app.errors import NotReady, UnknownModel, UnknownVersion
from app.repository import Repository
from app.settings import Settings
from app.telemetry import Telemetry


def repository(models_dir: Path, **settings: object) -> Repository:
    return Repository(Settings.model_validate({"models_dir": models_dir, **settings}), Telemetry())


@pytest.fixture
def three_versions(models_dir: Path) -> Path:
    """Give a folder in which softmax, alone, has the versions 1, 2 and 3."""
    shutil.rmtree(models_dir / "convnet")
    first = models_dir / "softmax" / "1"
    for version in (2, 3):
        copy = Path(shutil.copytree(first, models_dir / "softmax" / str(version), dirs_exist_ok=True))
        card = json.loads((copy / "model.json").read_text())
        (copy / "model.json").write_text(json.dumps(card | {"version": version}))
    return models_dir


def test_the_newest_version_answers_unless_another_is_asked_for(three_versions: Path) -> None:
    models = repository(three_versions)
    models.load()
    assert models.find("softmax").card.version == 3
    assert models.find("softmax", 2).card.version == 2
    assert [served.card.version for served in models.served()] == [3]


def test_only_the_newest_versions_are_loaded(three_versions: Path) -> None:
    models = repository(three_versions, keep_versions=2)
    models.load()
    assert [version.state for version in models.models["softmax"]] == ["ready", "ready", "not_loaded"]
    assert models.models["softmax"][2].card is not None
    with pytest.raises(UnknownVersion, match=r"Model 'softmax' has no version 1\. Available versions: 3, 2\."):
        models.find("softmax", 1)


def test_a_broken_version_says_why_and_the_one_before_it_answers(three_versions: Path) -> None:
    (three_versions / "softmax" / "3" / "saved_model.pb").write_bytes(b"")
    models = repository(three_versions)
    models.load()
    assert models.find("softmax").card.version == 2
    broken = models.models["softmax"][0]
    assert broken.state == "failed"
    assert "saved_model.pb has been altered" in str(broken.reason)
    with pytest.raises(NotReady, match=r"saved_model\.pb has been altered"):
        models.find("softmax", 3)


def test_an_unknown_model_is_answered_with_those_there_are(three_versions: Path) -> None:
    with pytest.raises(UnknownModel, match=r"no model 'perceptron'\. Available models: softmax\."):
        repository(three_versions).find("perceptron")


def test_a_model_that_is_loading_is_not_ready(three_versions: Path) -> None:
    with pytest.raises(NotReady, match="still loading"):
        repository(three_versions).find("softmax")


def test_a_model_without_a_version_is_not_ready(tmp_path: Path) -> None:
    (tmp_path / "softmax").mkdir()
    with pytest.raises(NotReady, match="has no version"):
        repository(tmp_path).find("softmax")


def test_what_is_required_and_missing_is_named(three_versions: Path) -> None:
    models = repository(three_versions, required_models="softmax,convnet")
    assert "still loading" in models.missing()["softmax"]
    models.load()
    assert list(models.missing()) == ["convnet"]
    assert "There is no model 'convnet'" in models.missing()["convnet"]
