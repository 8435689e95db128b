"""Writes a long list as JSON in pieces, and lets the event loop run between them. Knows nothing of its elements."""

import asyncio
from collections.abc import Iterable, Iterator

import numpy as np
import orjson
from numpy.typing import NDArray

ROWS = 512
"""Rows in a piece. If each has the scores of an image, a piece takes some 3 ms."""


def split_rows(values: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """Split an array into pieces of ROWS rows."""
    for start in range(0, len(values), ROWS):
        yield values[start : start + ROWS]


async def write_list(pieces: Iterable[object]) -> orjson.Fragment:
    """Write the elements of all pieces as one list. The pieces are lists or arrays, none of them empty."""
    texts: list[bytes] = []
    for piece in pieces:
        if texts:
            await asyncio.sleep(0)
        texts.append(orjson.dumps(piece, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1])
    return orjson.Fragment(b"[%s]" % b",".join(texts))
