from pathlib import Path

from benchmarks.compare import run, table


def test_a_module_is_run_in_the_folder_and_its_last_line_is_parsed(tmp_path: Path) -> None:
    (tmp_path / "measure.py").write_text("print('noise')\nprint('{\"decode\": 2.5}')\n")
    assert run(tmp_path, "measure") == {"decode": 2.5}


def test_the_table_has_the_medians_and_their_ratio() -> None:
    lines = table({"decode": [10, 20, 90], "gone": [1]}, {"decode": [5, 10, 12]}).splitlines()
    assert len(lines) == 2
    assert "20.0 (10.0 to 90.0)" in lines[1]
    assert "10.0 (5.0 to 12.0)" in lines[1]
    assert lines[1].endswith("0.50")
