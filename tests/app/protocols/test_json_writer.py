import json

import numpy as np
import orjson
import pytest

from app.protocols.json_writer import ROWS, in_pieces, write_list
from tests.app.turns import Steps

pytestmark = pytest.mark.anyio


async def test_pieces_make_one_list() -> None:
    fragment = await write_list([[1, "a"], [{"b": None}], np.array([0.5], np.float32)])
    assert json.loads(orjson.dumps({"list": fragment})) == {"list": [1, "a", {"b": None}, 0.5]}


async def test_a_long_list_is_written_with_pauses_and_a_short_one_without() -> None:
    values = np.arange(30 * ROWS, dtype=np.float32).reshape(-1, 10)
    for rows, steps in ((values, 3), (values[:1], 1)):
        writing = Steps(write_list(in_pieces(rows)))
        assert json.loads(orjson.dumps(await writing)) == rows.tolist()
        assert writing.count == steps
