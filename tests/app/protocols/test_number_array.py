import asyncio
import json

import numpy as np
import pytest

from app.errors import MalformedRequest
from app.protocols import number_array
from app.protocols.number_array import Numbers, parse_numbers


def parse(text: str) -> Numbers:
    return asyncio.run(parse_numbers(text.encode(), 0, len(text.encode())))


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(number_array, "PIECE_BYTES", 200)


@pytest.mark.parametrize("shape", [(1,), (7,), (3, 4), (1, 1), (2, 3, 4), (4, 1, 3, 1), (1,) * 8])
@pytest.mark.parametrize("indent", [None, 2])
def test_the_array_has_the_shape_of_the_lists(shape: tuple[int, ...], indent: int | None) -> None:
    expected = np.arange(np.prod(shape)).reshape(shape)
    found = parse(json.dumps(expected.tolist(), indent=indent))
    assert found.dtype == np.uint8
    assert found.shape == shape
    assert (found == expected).all()


@pytest.mark.parametrize("last", [0.5, 256, -1, 1e300, 2**64, 1.0, -0.0])
def test_a_decimal_or_a_number_out_of_range_makes_all_numbers_float(last: float) -> None:
    numbers = [*range(100), last]
    found = parse(json.dumps(numbers))
    assert found.dtype == np.float64
    assert found.tolist() == numbers


IRREGULAR = "[] [[]] [[],[]] [[1,2],[3]] [[1],2] [1,[2]] [[1,2],[3,4] [1,2]] [1],[2] [[[1]] [[[[[[[[[1]]]]]]]]] 1 ,"
MISPLACED = "[1,] [,1] [1,,2] [[1,],[2,]] [1[2]] [[1]2] [[]1] [1[],2[]] [-[1]] [1][2] [[1,2],[3]4] [[1]]]["
NO_NUMBERS = '[01] [+1] [.5] [1.] [-] [1e] [1e400] [true] [null] [NaN] ["1"] [{}] [1\x0b] [\x00] [\xff]'


@pytest.mark.parametrize("text", [*f"{IRREGULAR} {MISPLACED} {NO_NUMBERS}".split(" "), "", "[1 2]", f"[{'1' * 201}]"])
def test_an_irregular_array_is_refused(text: str) -> None:
    with pytest.raises(MalformedRequest):
        parse(text)
