import base64
import json
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from app.inference.finder_engine import load_finder_engine
from app.model_repository.card import FinderCard
from app.model_repository.verification import verify_finder
from training.data.mnist import Mnist
from training.errors import BelowThreshold, CandidateRejected
from training.finder import run
from training.finder.export import ServableFinder, find_in_batches
from training.finder.network import build_finder
from training.finder.recipe import FinderRecipe
from training.progress import HistoryPoint

pytestmark = pytest.mark.slow

QUICK = FinderRecipe(
    pages=6,
    batch_size=2,
    warmup=1,
    validation_pages=6,
    test_pages=7,
    ink_f1_threshold=0.0,
    recall_threshold=0.0,
    precision_threshold=0.0,
)


@pytest.fixture(scope="module")
def result(bars: Mnist) -> run.FinderRun:
    return run.train(QUICK, bars)


def decode(recorded: str) -> npt.NDArray[np.uint8]:
    return np.frombuffer(zlib.decompress(base64.b64decode(recorded)), np.uint8)


def untrained(result: run.FinderRun) -> run.FinderRun:
    """Return a run with another network, which never finds a digit: its thresholds are above every probability."""
    servable = ServableFinder(build_finder(seed=99).for_inference())
    return replace(result, servable=servable, card={**result.card, "thresholds": {"ink": 0.9, "core": 0.9}})


def test_the_card_describes_the_run(result: run.FinderRun) -> None:
    card = result.card
    assert (card["task"], card["name"]) == ("find_digits", "finder")
    assert card["training"]["pages"] == 6
    assert card["data"]["split"] == {"train": 500, "validation": 130, "test": 170}
    assert card["history"][-1]["iteration"] == 3
    assert set(card["history"][-1]) == {"iteration", "loss", "validation_ink_f1"}
    assert (card["validation"]["pages"], card["test"]["pages"]) == (6, 7)
    assert 10_000 < card["parameters"] < card["multiply_adds"]


def test_the_self_test_has_the_maps_of_its_page(result: run.FinderRun) -> None:
    recorded = result.card["self_test"]
    pictures = decode(recorded["pictures"]).reshape(1, 192, 192, 3)
    for name, maps in zip(("ink", "cores"), find_in_batches(result.servable.find, pictures), strict=True):
        np.testing.assert_allclose(decode(recorded[name]).reshape(1, 96, 96) / 255, maps, atol=0.51 / 255)


def test_the_service_accepts_a_published_finder(result: run.FinderRun, tmp_path: Path) -> None:
    folder = run.publish(result, tmp_path)
    assert folder
    assert (folder / "model.json").stat().st_size < 128 * 1024
    card = FinderCard.model_validate_json((folder / "model.json").read_bytes())
    verify_finder(load_finder_engine("openvino", folder), card)


def test_a_killed_run_continues_to_the_same_weights(
    result: run.FinderRun, bars: Mnist, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.finder.loop.VALIDATION_INTERVAL", 2)
    completed: list[int] = []

    def stop_at_the_end(done: int, _point: HistoryPoint | None) -> None:
        completed.append(done)
        if completed == [1, 2, 3]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.train(QUICK, bars, stop_at_the_end, checkpoint_path=tmp_path / "finder.npz")
    again = run.train(QUICK, bars, stop_at_the_end, checkpoint_path=tmp_path / "finder.npz")
    assert completed == [1, 2, 3, 3]
    assert again.card["self_test"] == result.card["self_test"]
    assert [point["iteration"] for point in again.card["history"]] == [2, 3]


def test_another_recipe_does_not_continue_the_run(bars: Mnist, tmp_path: Path) -> None:
    completed: list[int] = []
    for seed in (1, 2):
        recipe = replace(QUICK, pages=2, seed=seed)
        run.train(recipe, bars, lambda done, _point: completed.append(done), checkpoint_path=tmp_path / "finder.npz")
    assert completed == [1, 1]


def test_the_report_of_a_published_run_is_verified(result: run.FinderRun, bars: Mnist, tmp_path: Path) -> None:
    folder = run.publish(result, tmp_path)
    assert folder
    report, differing = run.verify_report(folder, bars)
    assert (report, differing) == (result.card["test"], [])
    altered = {**result.card["test"], "found": 99}
    altered_folder = run.publish(replace(result, card={**result.card, "test": altered}), tmp_path / "altered")
    assert altered_folder
    assert run.verify_report(altered_folder, bars)[1] == ["found"]


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("ink_f1", r"The F1 score of the ink on the test pages is 40\.00%; expected at least 75\.00%"),
        ("recall", r"The recall of the digits on the test pages is 40\.00%; expected at least 75\.00%"),
        ("precision", r"The precision of the finds on the test pages is 40\.00%; expected at least 75\.00%"),
    ],
)
def test_a_run_below_its_threshold_publishes_nothing(
    result: run.FinderRun, tmp_path: Path, field: str, message: str
) -> None:
    training = {**result.card["training"], f"{field}_threshold": 0.75}
    card = {**result.card, "training": training, "test": {**result.card["test"], field: 0.4}}
    with pytest.raises(BelowThreshold, match=message):
        run.publish(replace(result, card=card), tmp_path, force=True)
    assert list(tmp_path.iterdir()) == []


def test_identical_maps_are_published_once(result: run.FinderRun, tmp_path: Path) -> None:
    assert run.publish(result, tmp_path) == tmp_path / "finder" / "1"
    assert run.publish(result, tmp_path) is None


def test_a_run_that_is_no_better_is_rejected_unless_forced(result: run.FinderRun, tmp_path: Path) -> None:
    run.publish(result, tmp_path)
    with pytest.raises(CandidateRejected, match=r"rejects the candidate(.|\n)*digits found"):
        run.publish(untrained(result), tmp_path)
    folder = run.publish(untrained(result), tmp_path, force=True)
    assert folder == tmp_path / "finder" / "2"
    compared = json.loads((folder / "model.json").read_text())["comparison"]
    assert (compared["with_version"], compared["forced"]) == (1, True)
    assert [row["name"] for row in compared["measures"]][:2] == ["digits found", "false finds"]
    FinderCard.model_validate_json((folder / "model.json").read_bytes())


def test_two_published_versions_are_compared(
    result: run.FinderRun, bars: Mnist, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "DEFAULT_FINDER", QUICK)
    run.publish(result, tmp_path)
    run.publish(untrained(result), tmp_path, force=True)
    table = run.compare_versions(tmp_path / "finder" / "1", tmp_path / "finder" / "2", bars)
    assert table[0] == "| | finder 1 | finder 2 | p | verdict | |"
    assert len(table) == 7
