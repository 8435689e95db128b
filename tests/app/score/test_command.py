import random
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.score import command
from app.score.chunks import Scored
from imaging import encode_png, preprocess_picture
from tests.conftest import MODELS
from tests.s3 import s3_server

ROOT = MODELS.parent
COLUMNS = ["path", "digit", "confidence", "abstained", "reason", "probabilities", "model", "version", "error"]


def start(*arguments: object) -> subprocess.Popen[str]:
    """Start the program in the folder of the project."""
    program = [sys.executable, "-m", "app.score", *map(str, arguments)]
    return subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # noqa: S603


def rows(path: Path) -> list[dict[str, object]]:
    return list(pq.read_table(path).to_pylist())


@pytest.mark.slow
def test_every_picture_of_a_folder_has_a_row(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "results.parquet"
    program = start(folder, "--out", out, "--processes", 1)
    output, errors = program.communicate(timeout=60)
    assert (program.returncode, errors) == (0, "")
    assert output.startswith(f"{out}: 4 rows, 2 of them errors, in ")
    table = pd.read_parquet(out)
    assert list(table) == COLUMNS
    assert list(table["path"]) == ["a.png", "more/b.png", "more/broken.png", "z.png"]
    assert list(table["digit"].fillna(-1)) == [7, 7, -1, -1]
    assert not Path(f"{out}.parts").exists()
    again = start(folder, "--out", out)
    assert again.communicate(timeout=60) == (f"{out} is complete already.\n", "")
    assert again.returncode == 0


@pytest.mark.slow
def test_a_killed_run_goes_on_and_each_row_is_there_once(folder: Path, tmp_path: Path, seven: bytes) -> None:
    (folder / "a.png").write_bytes(encode_png(preprocess_picture(seven).image))  # many of them a second
    for number in range(6000):
        (folder / f"copy-{number:04}.png").hardlink_to(folder / "a.png")
    out = tmp_path / "results.parquet"
    parts = Path(f"{out}.parts")
    for is_time in (lambda processes: len(processes) == 2, lambda _: any(parts.glob("part-*"))):
        program = start(folder, "--out", out, "--processes", 2)
        while not is_time(_children(program)):
            assert program.poll() is None
            time.sleep(0.005)
        time.sleep(random.uniform(0, 0.3))  # noqa: S311 - at any moment
        program.kill()
        program.communicate(timeout=60)  # the other processes end, too: they have the same standard error
    program = start(folder, "--out", out)
    program.communicate(timeout=60)
    assert program.returncode == 0
    table = pd.read_parquet(out)
    assert list(table["path"]) == sorted(str(path.relative_to(folder)) for path in folder.rglob("*.png"))
    assert table["digit"].fillna(-1).value_counts().to_dict() == {7: 6002, -1: 2}
    assert not parts.exists()


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run a server with the API of S3, and yield the address of a bucket."""
    with s3_server(monkeypatch, "scoring") as (_, address):
        yield address


@pytest.mark.slow
def test_pictures_and_table_may_be_in_a_bucket(folder: Path, bucket: str) -> None:
    files = fsspec.filesystem("s3")
    files.put(f"{folder}/", "scoring/pictures/", recursive=True)
    program = start(f"{bucket}/pictures", "--out", f"{bucket}/results.parquet", "--processes", 1)
    output, errors = program.communicate(timeout=60)
    assert (program.returncode, errors) == (0, "")
    assert "4 rows, 2 of them errors" in output
    with fsspec.open(f"{bucket}/results.parquet") as file:
        assert pq.read_table(file)["path"].to_pylist() == ["a.png", "more/b.png", "more/broken.png", "z.png"]
    files.invalidate_cache()
    assert sorted(files.ls("scoring", detail=False)) == ["scoring/pictures", "scoring/results.parquet"]


def _children(program: subprocess.Popen[str]) -> list[str]:
    """Return the ids of the processes that a program has started."""
    return Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text().split()


def run(*arguments: object) -> int:
    return command.main([str(argument) for argument in arguments])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gone", "--out", "{tmp}/a.parquet"], "gone has no pictures. Expected a folder"),
        (["{tmp}", "--out", "{tmp}/gone/a.parquet"], "gone/a.parquet cannot be written: "),
        (["{tmp}", "--out", "{tmp}/a.parquet", "--model", "resnet"], "There is no model 'resnet'. Available models: "),
        (["{tmp}", "--out", "{tmp}/a.parquet", "--version", "99"], "Model 'convnet' has no version 99. Available "),
        (["{tmp}", "--out", "{tmp}/a.parquet", "--models-dir", "{tmp}/none"], "MODELS_DIR='{tmp}/none' is not valid"),
        (["foo://a", "--out", "{tmp}/a.parquet"], "foo://a has no file system: "),
        (["{tmp}/a.tar", "--out", "{tmp}/a.parquet"], "a.tar cannot be read: "),
        (["{tmp}/empty.tar", "--out", "{tmp}/a.parquet"], "empty.tar has no pictures. "),
        (["{tmp}/empty.parquet", "--out", "{tmp}/a.parquet"], "empty.parquet has no pictures. "),
    ],
)
def test_what_cannot_be_done_is_one_line_and_status_2(
    arguments: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a.tar").write_bytes(b"no")
    tarfile.open(folder / "empty.tar", "w").close()
    pq.write_table(pa.table({"bytes": pa.array([], pa.binary())}), folder / "empty.parquet")
    assert run(*(each.format(tmp=folder) for each in arguments)) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.startswith("Error: ")
    assert message.format(tmp=folder) in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize(("arguments", "message"), [(["--processes", "0"], "--processes is 0: expected 1 or more")])
def test_an_option_that_is_not_valid_is_an_error(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        run("pictures", "--out", "a.parquet", *arguments)
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err


def test_ray_is_optional(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(command, "find_spec", lambda _: None)
    with pytest.raises(SystemExit):
        run("pictures", "--out", "a.parquet", "--ray", "local")
    assert "--ray needs more packages: pip install '.[ray]'" in capsys.readouterr().err


def test_after_ctrl_c_a_line_says_how_to_go_on(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object) -> list[Scored]:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "_score", interrupt)
    assert run(folder, "--out", tmp_path / "a.parquet") == 130
    assert capsys.readouterr().err.startswith("Stopped. To go on, repeat the command: ")
    assert Path(f"{tmp_path}/a.parquet.parts").exists()
