from pathlib import Path

import pyarrow.parquet as pq
import pytest

from app.score.errors import ScoringError
from tests.app.score.conftest import MakeJob
from tests.app.score.test_command import start

pytestmark = pytest.mark.slow


def test_the_rows_are_those_of_all_chunks_in_their_order(folder: Path, tmp_path: Path) -> None:
    for number in range(1100):  # more than a chunk
        (folder / f"copy-{number:04}.png").touch()
    out = tmp_path / "results.parquet"
    program = start(folder, "--out", out, "--ray", "local", "--processes", 1)
    output, errors = program.communicate(timeout=120)
    assert program.returncode == 0, errors
    assert "1,104 rows, 1,102 of them errors" in output
    rows = pq.read_table(out).to_pylist()
    assert [row["path"] for row in rows] == sorted(str(path.relative_to(folder)) for path in folder.rglob("*.png"))
    assert {row["path"]: row["digit"] for row in rows if not row["error"]} == {"a.png": 7, "more/b.png": 7}


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1"])
def test_a_cluster_that_does_not_answer_is_an_error(make_job: MakeJob, address: str) -> None:
    from app.score.ray_data import score_on_ray  # noqa: PLC0415 - Ray takes a second

    with pytest.raises(ScoringError, match=f"There is no Ray cluster at {address}: .*refused"):
        list(score_on_ray(make_job("pictures"), (), address, None))
