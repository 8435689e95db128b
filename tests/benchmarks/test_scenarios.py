from benchmarks.environments import ROOT
from benchmarks.scenarios import SCENARIOS, pictures_in, scenarios_of
from benchmarks.servers import digitserve, digitserve_alone


def test_a_server_is_asked_for_what_it_takes() -> None:
    names = [scenario.name for scenario in scenarios_of(digitserve(ROOT / "models"))]
    assert "digit-raw-1" in names
    assert "digit-batch-4" in names
    assert "digit-tensor-1" not in names


def test_a_variant_is_asked_for_what_it_is_there_for() -> None:
    alone = scenarios_of(digitserve_alone(ROOT / "models"))
    assert [scenario.name for scenario in alone] == ["digit-raw-16", "digit-raw-64"]


def test_names_tell_scenarios_apart() -> None:
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS)
    assert pictures_in("batch") == 64
