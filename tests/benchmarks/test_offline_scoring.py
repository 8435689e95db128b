import gzip
import sys
from pathlib import Path

import pytest

from benchmarks import offline_scoring
from benchmarks.offline_scoring import Run, print_table, write_files
from imaging import preprocess_picture


def test_files_are_written_once_and_linked_again_and_again(tmp_path: Path) -> None:
    write_files(tmp_path / "pictures", [b"0", b"1"], 5, ".png")
    paths = sorted((tmp_path / "pictures").iterdir())
    assert [path.read_bytes() for path in paths] == [b"0", b"1", b"0", b"1", b"0"]


def test_the_table_compares_each_run_with_the_ceiling(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([Run("bare loops", 8.0), Run("app.score", 10.0, 512.3)], 2000)
    assert capsys.readouterr().out.splitlines()[2:] == [
        "| bare loops | 8.0 | 250 | 1.00 |  |",
        "| app.score | 10.0 | 200 | 0.80 | 512 |",
    ]


@pytest.mark.slow
def test_a_small_run_prints_the_table(
    seven: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    image = preprocess_picture(seven).image.tobytes()
    contents = {"images-idx3": bytes(16) + 40 * image, "labels-idx1": bytes(8) + 40 * b"\7"}
    for name, content in contents.items():
        (tmp_path / f"t10k-{name}-ubyte.gz").write_bytes(gzip.compress(content))
    options = ["--mnist", str(tmp_path), "--pngs", "40", "--photographs", "2", "--processes", "1", "--no-ray"]
    monkeypatch.setattr(sys, "argv", ["offline_scoring", *options])
    monkeypatch.setattr(offline_scoring, "prepare", lambda *_: Path(sys.executable).parent)
    monkeypatch.setattr(offline_scoring, "unwind_when_terminated", lambda: None)
    monkeypatch.setenv("OPENCV_FOR_THREADS_NUM", "1")
    offline_scoring.main()
    assert "| app.score |" in capsys.readouterr().out
