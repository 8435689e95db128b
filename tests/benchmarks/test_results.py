from pathlib import Path

from benchmarks.results import ServingResults, median, ratios


def test_loaded_results_equal_the_stored_ones(serving: ServingResults, tmp_path: Path) -> None:
    serving.save(tmp_path)
    assert (tmp_path / "serving.json").is_file()
    assert ServingResults.load(tmp_path) == serving


def test_there_may_be_no_results_yet(tmp_path: Path) -> None:
    assert ServingResults.load(tmp_path) is None


def test_the_fastest_shape_of_a_server_is_found(serving: ServingResults) -> None:
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


def test_rounds_without_both_figures_are_ignored() -> None:
    assert ratios({0: 2.0, 1: 8.0, 2: 1.0}, {0: 1.0, 1: 2.0}) == [2.0, 4.0]
    assert median({0: 1.0, 1: 5.0, 2: 2.0}) == 2.0
