from pathlib import Path

from benchmarks.machine import Machine


def test_it_says_what_a_reader_needs_and_no_path() -> None:
    machine = Machine.here()
    assert machine.cores >= 1
    assert "openvino" in machine.packages
    assert str(Path.cwd()) not in machine.model_dump_json()
