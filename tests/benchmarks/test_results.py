from pathlib import Path

from benchmarks.results import ServingResults, median, ratios


def test_results_are_read_as_they_were_kept(serving: ServingResults, tmp_path: Path) -> None:
    serving.save(tmp_path)
    assert (tmp_path / "serving.json").is_file()
    assert ServingResults.load(tmp_path) == serving


def test_there_may_be_no_results_yet(tmp_path: Path) -> None:
    assert ServingResults.load(tmp_path) is None


def test_a_server_counts_with_its_fastest_shape(serving: ServingResults) -> None:
    for measurement in serving.measurements:
        if measurement.scenario == "digit-multipart-16":
            measurement.load.rate *= 3
    assert serving.fastest("digitserve", "digit", 16) == "digit-multipart-16"
    assert serving.fastest("litserve", "drawing", 16) is None


def test_faults_are_counted_by_server(serving: ServingResults) -> None:
    assert serving.faults() == {}
    serving.measurements[0].load.refused = 2
    serving.measurements[1].load.broken = 1
    assert serving.faults() == {"do-nothing": 3}


def test_rounds_without_both_figures_are_passed_over() -> None:
    assert ratios({0: 2.0, 1: 8.0, 2: 1.0}, {0: 1.0, 1: 2.0}) == [2.0, 4.0]
    assert median({0: 1.0, 1: 5.0, 2: 2.0}) == 2.0
