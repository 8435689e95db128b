from pathlib import Path
from typing import Any

import pytest

from training.cli.repetition import report_repetition
from training.errors import ArtefactError
from training.publishing import artefacts

PLANNED: dict[str, Any] = {"training": {"seed": 1}, "data": {"files": {}, "split": {}}}


def save(folder: Path) -> None:
    (folder / "saved_model.pb").write_bytes(b"graph")


def test_a_run_without_a_served_version_is_no_repetition(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not report_repetition("tiny", PLANNED, tmp_path)
    assert capsys.readouterr().out == ""


def test_a_run_like_that_of_the_served_version_is_a_repetition(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    artefacts.publish(save, {"name": "tiny", **PLANNED, "training": {"seed": 2}}, tmp_path)
    artefacts.publish(save, {"name": "tiny", **PLANNED}, tmp_path)
    assert report_repetition("tiny", PLANNED, tmp_path)
    said = capsys.readouterr().out
    assert said.startswith(
        "tiny is not trained: the recipe is the one of tiny 2, which is served. Train with another seed"
    )


def test_what_differs_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    artefacts.publish(save, {"name": "tiny", **PLANNED, "training": {"seed": 2}}, tmp_path)
    assert not report_repetition("tiny", PLANNED, tmp_path)
    assert capsys.readouterr().out == "tiny is trained. It differs from tiny 1, which is served, in: seed.\n"


def test_a_damaged_version_raises_an_error(tmp_path: Path) -> None:
    (artefacts.publish(save, {"name": "tiny", **PLANNED}, tmp_path) / "saved_model.pb").write_bytes(b"altered")
    with pytest.raises(ArtefactError, match="is damaged"):
        report_repetition("tiny", PLANNED, tmp_path)
