import asyncio
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from app.prediction import preprocessing_pool
from app.prediction.preprocessing_pool import PreprocessingPool
from imaging import (
    PreprocessedPicture,
    Scene,
    UnreadablePicture,
    UnsupportedPicture,
    decode_scene,
    encode_png,
    preprocess_picture,
)

pytestmark = pytest.mark.anyio

SLOW = b"slow"
CRASHING = b"crashing"


def noise(side: int) -> bytes:
    return encode_png(np.random.default_rng(0).integers(0, 256, (side, side), dtype=np.uint8))


def preprocess_slowly(data: bytes, *, max_pixels: int) -> PreprocessedPicture:
    """Stand for a decoder that hangs or crashes."""
    if data == SLOW:
        time.sleep(60)
    if data == CRASHING:
        os.kill(os.getpid(), signal.SIGSEGV)
    return PreprocessedPicture(np.full((28, 28), os.getpid() % 251, np.uint8), None)


@pytest.fixture
def pool() -> PreprocessingPool:
    return PreprocessingPool(max_pixels=10**6, max_seconds=30)


def children() -> set[str]:
    return set(Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split())


async def test_the_pool_preprocesses_as_this_process_does(pool: PreprocessingPool) -> None:
    outcome, seconds = await pool.run(preprocess_picture, noise(400))
    assert isinstance(outcome, PreprocessedPicture)
    assert (outcome.image == preprocess_picture(noise(400)).image).all()
    assert seconds > 0
    assert isinstance((await pool.run(preprocess_picture, b"no picture"))[0], UnsupportedPicture)


async def test_the_pool_decodes_scenes_as_this_process_does(pool: PreprocessingPool) -> None:
    outcome, _ = await pool.run(decode_scene, noise(400))
    assert isinstance(outcome, Scene)
    assert (outcome.pixels == decode_scene(noise(400)).pixels).all()
    assert (outcome.width, outcome.height) == (400, 400)


@pytest.mark.slow
async def test_cancelling_the_caller_kills_the_process(pool: PreprocessingPool) -> None:
    before = children()
    await pool.run(preprocess_slowly, b"quick")  # a busy machine takes seconds to start the process
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3):
            await pool.run(preprocess_slowly, SLOW)
    assert pool.longest_running_seconds() == 0
    if sys.platform == "linux":
        assert children() <= before
    assert isinstance((await pool.run(preprocess_slowly, b"quick"))[0], PreprocessedPicture)


async def test_a_picture_that_crashes_its_process_affects_no_other(pool: PreprocessingPool) -> None:
    with pytest.raises(UnreadablePicture, match="crashes its decoder"):
        await pool.run(preprocess_slowly, CRASHING)
    assert isinstance((await pool.run(preprocess_slowly, b"quick"))[0], PreprocessedPicture)


async def test_a_process_killed_while_idle_is_replaced(pool: PreprocessingPool) -> None:
    before = children()
    await pool.run(preprocess_slowly, b"quick")
    for process in children() - before:
        os.kill(int(process), signal.SIGKILL)
    assert isinstance((await pool.run(preprocess_slowly, b"quick"))[0], PreprocessedPicture)


async def test_other_pictures_do_not_wait_for_a_slow_one(
    pool: PreprocessingPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preprocessing_pool, "_SLOW_SECONDS", 0.2)
    slow = asyncio.create_task(pool.run(preprocess_slowly, SLOW))
    await asyncio.sleep(0.1)
    started = time.perf_counter()
    for _ in range(2):
        async with asyncio.timeout(20):
            await pool.run(preprocess_slowly, b"quick")
    assert time.perf_counter() - started > 0.05  # not at once: memory is for one at a time
    assert pool.longest_running_seconds() > 0.2
    slow.cancel()
    await asyncio.wait([slow])
    assert pool._slots.total_tokens == 1


async def test_cancelling_callers_while_a_process_starts_leaves_no_extra_process(pool: PreprocessingPool) -> None:
    before = children()
    for _ in range(4):
        with suppress(TimeoutError):  # unless a process is there already
            async with asyncio.timeout(0.01):
                await pool.run(preprocess_slowly, b"quick")
    assert isinstance((await pool.run(preprocess_slowly, b"quick"))[0], PreprocessedPicture)
    assert len(children() - before) <= 1
