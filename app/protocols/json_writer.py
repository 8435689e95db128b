"""Writes a long list as JSON in pieces, between which the event loop runs. Knows nothing of what is in it."""

import asyncio
from collections.abc import Iterable, Iterator

import numpy as np
import orjson
from numpy.typing import NDArray

ROWS = 512
"""How many rows make a piece. With the scores of an image in each, it takes some 3 ms."""


def in_pieces(values: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """Cut an array into pieces of ROWS rows."""
    for start in range(0, len(values), ROWS):
        yield values[start : start + ROWS]


async def write_list(pieces: Iterable[object]) -> orjson.Fragment:
    """Write the elements of all pieces, which are lists or arrays that are not empty, as one list."""
    texts: list[bytes] = []
    for piece in pieces:
        if texts:
            await asyncio.sleep(0)
        texts.append(orjson.dumps(piece, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1])
    return orjson.Fragment(b"[%s]" % b",".join(texts))
