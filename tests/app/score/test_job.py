import json
import pickle
from pathlib import Path

import pytest

from app.errors import BrokenArtefact, NotAClassifier, UnknownModel, UnknownVersion
from app.score.job import choose_versions
from app.settings import Settings
from tests.app.score.conftest import MakeJob
from tests.conftest import keep_only, publish


def test_the_newest_version_answers_with_the_finder(models_dir: Path) -> None:
    publish(models_dir, "convnet", 2)
    assert choose_versions(Settings(models_dir=models_dir), "convnet", None) == {"convnet": 2, "finder": 1}


def test_a_pinned_or_named_version_answers_instead(models_dir: Path) -> None:
    publish(models_dir, "convnet", 2)
    settings = Settings(models_dir=models_dir, model_versions={"convnet": 1})
    assert choose_versions(settings, "convnet", None)["convnet"] == 1
    assert choose_versions(settings, "convnet", 2)["convnet"] == 2


def test_the_default_model_stands_in_for_a_model_without_energies(models_dir: Path) -> None:
    settings = Settings(models_dir=models_dir)
    assert choose_versions(settings, "softmax", None) == {"softmax": 1, "convnet": 1, "finder": 1}
    keep_only(models_dir, "softmax")
    assert choose_versions(settings, "softmax", None) == {"softmax": 1}


def test_what_cannot_answer_is_an_error_in_the_words_of_the_service(models_dir: Path) -> None:
    settings = Settings(models_dir=models_dir)
    with pytest.raises(UnknownModel, match=r"no model 'resnet'\. Available models: convnet, convnet-large, softmax\."):
        choose_versions(settings, "resnet", None)
    with pytest.raises(UnknownVersion, match=r"no version 7\. Available versions: 1\."):
        choose_versions(settings, "convnet", 7)
    with pytest.raises(NotAClassifier):
        choose_versions(settings, "finder", None)
    (models_dir / "new").mkdir()
    with pytest.raises(BrokenArtefact, match="new has no version"):
        choose_versions(settings, "new", None)


def test_the_identity_is_all_that_the_rows_depend_on(models_dir: Path, make_job: MakeJob) -> None:
    settings = Settings(models_dir=models_dir)
    job = make_job("pictures", settings=settings, versions={"convnet": 1}, version=1)
    assert make_job("pictures", settings=settings, versions={"convnet": 1}, version=1).identity == job.identity
    assert make_job("others", settings=settings, versions={"convnet": 1}, version=1).identity != job.identity
    assert json.loads(json.dumps(job.identity)) == job.identity
    card = models_dir / "convnet" / "1" / "model.json"
    card.write_text(card.read_text() + " ")
    changed = make_job("pictures", settings=settings, versions={"convnet": 1}, version=1).identity
    assert {key for key in changed if changed[key] != job.identity[key]} == {"versions"}


def test_a_job_can_be_sent_to_another_process(make_job: MakeJob) -> None:
    job = make_job("pictures")
    assert pickle.loads(pickle.dumps(job)) == job  # noqa: S301
