import pytest

from benchmarks import payloads, servers
from benchmarks.environments import ROOT
from benchmarks.servers import (
    EQUAL_ENGINES,
    OPENVINO,
    PEER_SERVERS,
    digitserve,
    digitserve_in_bfloat16,
    digitserve_one_worker,
    digitserve_with_log,
)


@pytest.mark.parametrize("name", PEER_SERVERS)
def test_every_peer_gets_its_port_and_its_model(name: str) -> None:
    server = PEER_SERVERS[name](ROOT / "models" / "convnet" / "1")
    assert any("{port}" in part for part in [*server.command, *server.environment.values()])
    assert server.environment["MODEL_DIR"] == str(ROOT / "models" / "convnet" / "1")
    assert server.folder.is_dir()
    assert not server.normalises


def test_each_peer_has_a_row_with_the_engine_of_the_service() -> None:
    built = [PEER_SERVERS[name](ROOT / "models" / "convnet" / "1") for name in PEER_SERVERS]
    assert [server.name for server in built] == list(PEER_SERVERS)
    assert len({server.label for server in built}) == len(built)
    engines = {server.name: server.environment["ENGINE"] for server in built if server.name not in EQUAL_ENGINES}
    assert set(engines.values()) == {"tensorflow"}
    for server in built:
        if server.name.endswith(OPENVINO):
            assert server.environment["ENGINE"] == "openvino"
            assert server.name.removesuffix(OPENVINO) in engines


def test_a_variant_has_a_name_and_scenarios_of_its_own() -> None:
    builds = (digitserve, digitserve_with_log, digitserve_in_bfloat16, digitserve_one_worker)
    variants = [build(ROOT / "models") for build in builds]
    assert len({server.name for server in variants}) == 4
    assert [bool(server.variant) for server in variants] == [False, True, True, True]
    assert digitserve_in_bfloat16(ROOT / "models").tolerance > digitserve(ROOT / "models").tolerance


def test_the_answer_of_a_batch_is_the_one_for_its_last_picture() -> None:
    route = servers.batch_route()
    predictions = [{"digit": 1, "probabilities": [0.1] * 10}] * 63 + [{"digit": 4, "probabilities": [0.1] * 10}]
    assert route.read_answer({"predictions": predictions}).digit == 4
    assert route.build_body(payloads.digit_png()).data.count(b"Content-Disposition") == 64


def test_tensors_are_parsed_as_an_answer() -> None:
    (route,) = servers.mlserver(ROOT).routes.values()
    outputs = [{"name": "digit", "data": [7]}, {"name": "probabilities", "data": [0.1] * 10}]
    assert route.read_answer({"outputs": outputs}).digit == 7
