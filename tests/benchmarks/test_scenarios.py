from benchmarks.environments import ROOT
from benchmarks.scenarios import SCENARIOS, pictures_in, scenarios_of
from benchmarks.servers import digitserve, digitserve_one_worker


def test_a_server_gets_the_scenarios_that_it_supports() -> None:
    names = [scenario.name for scenario in scenarios_of(digitserve(ROOT / "models"))]
    assert "digit-raw-1" in names
    assert "digit-batch-4" in names
    assert "digit-tensor-1" not in names


def test_a_variant_gets_only_its_own_scenarios() -> None:
    alone = scenarios_of(digitserve_one_worker(ROOT / "models"))
    assert [scenario.name for scenario in alone] == ["digit-raw-16", "digit-raw-64"]


def test_scenario_names_are_unique() -> None:
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS)
    assert pictures_in("batch") == 64
