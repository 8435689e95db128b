from pathlib import Path

from benchmarks.machine import Machine


def test_the_description_is_complete_and_contains_no_path() -> None:
    machine = Machine.here()
    assert machine.cores >= 1
    assert "openvino" in machine.packages
    assert str(Path.cwd()) not in machine.model_dump_json()
