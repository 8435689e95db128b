from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.results import ServerPartsResults, ServingResults, StagesResults, TrainingResults


@pytest.mark.slow
def test_the_page_contains_the_results(serving: ServingResults, training: TrainingResults, tmp_path: Path) -> None:
    folder, page = tmp_path / "benchmarks", tmp_path / "benchmarks.md"
    serving.save(folder)
    training.save(folder)
    stages = StagesResults(
        machine=serving.machine, rounds=1, repeats=1, microseconds={"digit, raw": {"decode": [12.0, 14.0, 15.0]}}
    )
    stages.save(folder)
    ServerPartsResults(
        machine=serving.machine, rounds=2, seconds=1, shares={"fast path": {"1 connection": [0.5, 0.63, 0.75]}}
    ).save(folder)
    report.write(page, folder)
    text = page.read_text()
    assert "| Fastapi_Openvino | 4 (4 to 4) | 4 (4 to 4) | 4 (4 to 4) |  |" in text
    assert "| fast path | 0.63 (0.5 to 0.75) |" in text
    assert "| raw, 16 connections: rate / do nothing | 0.5 (0.5 to 0.5) | at least 0.4 | met |" in text
    assert "| memory (PSS), MB | largest process (RSS), MB |" in text
    assert "| Digitserve | 750 (500 to 1,000) |" in text
    assert "- Ray Serve could not be measured. The error was `no wheel`" in text
    assert "| keras | 700 |" in text
    assert "| decode | 14 (12 to 15) |" in text
    assert "$" not in text
    assert {path.name for path in folder.glob("*.png")} == {"rates.png", "latencies.png", "overload.png"}
    assert all(f"benchmarks/{path.name}" in text for path in folder.glob("*.png"))


@pytest.mark.slow
def test_the_reason_for_a_bar_is_given_once_and_only_if_it_is_not_met(serving: ServingResults, tmp_path: Path) -> None:
    serving.overloads[0].load.good.each_second = [1, 1]
    serving.save(tmp_path)
    report.write(tmp_path / "page.md", tmp_path)
    text = (tmp_path / "page.md").read_text()
    assert (
        "- *overload with the photo: correct answers a second / highest rate without overload*: The same cores receive"
        in text
    )
    assert "no core is left for the load generator" not in text  # two workers are twice as fast as one here


def test_the_page_says_which_results_are_missing(tmp_path: Path) -> None:
    report.write(tmp_path / "page.md", tmp_path)
    text = (tmp_path / "page.md").read_text()
    assert text.count("Not measured yet") == 5
