import json

import numpy as np
import orjson
import pytest

from app.protocols.json_writer import ROWS, split_rows, write_list
from tests.app.turns import Steps

pytestmark = pytest.mark.anyio


async def test_all_pieces_are_written_as_one_list() -> None:
    fragment = await write_list([[1, "a"], [{"b": None}], np.array([0.5], np.float32)])
    assert json.loads(orjson.dumps({"list": fragment})) == {"list": [1, "a", {"b": None}, 0.5]}


@pytest.mark.alone
async def test_the_event_loop_runs_between_the_pieces_of_a_long_list() -> None:
    values = np.arange(30 * ROWS, dtype=np.float32).reshape(-1, 10)
    for rows, steps in ((values, 3), (values[:1], 1)):
        writing = Steps(write_list(split_rows(rows)))
        assert json.loads(orjson.dumps(await writing)) == rows.tolist()
        assert writing.count == steps
