import asyncio
import re

import numpy as np
import pytest

from app.errors import MalformedRequest, Overloaded
from app.prediction.preprocessing_pool import PreprocessingPool
from app.prediction.preprocessor import Preprocessor
from imaging import (
    PictureError,
    PictureTooLarge,
    PreprocessedPicture,
    UnsupportedPicture,
    decode_scene,
    encode_png,
    preprocess_picture,
)

pytestmark = pytest.mark.anyio


class CountingObserver:
    def __init__(self) -> None:
        self.preprocessed = 0

    def observe_preprocessing(self, seconds: float) -> None:
        self.preprocessed += 1


def noise(side: int) -> bytes:
    """Make a picture that cannot be compressed."""
    return encode_png(np.random.default_rng(0).integers(0, 256, (side, side), dtype=np.uint8))


async def test_small_and_large_pictures_are_preprocessed_alike(seven: bytes) -> None:
    observer = CountingObserver()
    preprocessor = Preprocessor(max_pixels=10**6, longest_wait_seconds=1, observer=observer)
    for data in (seven, noise(400)):
        picture = await preprocessor.preprocess(data)
        assert (picture.image == preprocess_picture(data).image).all()
    assert observer.preprocessed == 2


async def test_an_empty_file_is_refused() -> None:
    preprocessor = Preprocessor(max_pixels=10**6, longest_wait_seconds=1, observer=CountingObserver())
    with pytest.raises(MalformedRequest, match="0 bytes"):
        await preprocessor.preprocess(b"")


async def test_several_pictures_are_preprocessed_in_order_and_errors_take_their_places(seven: bytes) -> None:
    pictures = [noise(400), b"", seven, b"no picture", b"no picture" * 200, noise(20)]
    observer = CountingObserver()
    preprocessor = Preprocessor(max_pixels=10**6, longest_wait_seconds=1, observer=observer)
    outcomes = await preprocessor.preprocess_several(pictures)
    assert await preprocessor.preprocess_several([]) == []
    for index in (0, 2, 5):
        outcome = outcomes[index]
        assert isinstance(outcome, PreprocessedPicture)
        assert (outcome.image == preprocess_picture(pictures[index]).image).all()
    assert [type(outcomes[index]) for index in (1, 3, 4)] == [MalformedRequest, UnsupportedPicture, UnsupportedPicture]
    assert observer.preprocessed == 5  # a large file that is no picture is not counted


@pytest.mark.parametrize("side", [20, 400])
async def test_the_errors_of_small_and_large_pictures_are_raised(side: int) -> None:
    preprocessor = Preprocessor(max_pixels=side * side - 1, longest_wait_seconds=1, observer=CountingObserver())
    with pytest.raises(PictureTooLarge):
        await preprocessor.preprocess(noise(side))
    with pytest.raises(PictureError):
        await preprocessor.preprocess(b"no picture" * side)


async def test_small_and_large_pictures_are_decoded_to_scenes_alike(seven: bytes) -> None:
    observer = CountingObserver()
    preprocessor = Preprocessor(max_pixels=10**6, longest_wait_seconds=1, observer=observer)
    for data in (seven, noise(400)):
        scene = await preprocessor.decode_scene(data)
        assert (scene.pixels == decode_scene(data).pixels).all()
    assert observer.preprocessed == 2
    for data in (b"", b"no picture", b"no picture" * 200):
        with pytest.raises((MalformedRequest, UnsupportedPicture)):
            await preprocessor.decode_scene(data)


async def test_scenes_wait_in_the_same_queue_as_pictures_of_one_digit() -> None:
    preprocessor = Preprocessor(max_pixels=10**6, longest_wait_seconds=0.015, observer=CountingObserver())
    tasks = [asyncio.create_task(preprocessor.preprocess(noise(400))) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded, match=r"would wait 20 milliseconds before it is decoded"):
        await preprocessor.decode_scene(noise(400))
    await asyncio.gather(*tasks)
    assert (await preprocessor.decode_scene(noise(400))).width == 400


@pytest.mark.slow
async def test_the_event_loop_runs_while_a_large_picture_is_preprocessed() -> None:
    preprocessor = Preprocessor(max_pixels=10**8, longest_wait_seconds=1, observer=CountingObserver())
    task = asyncio.create_task(preprocessor.preprocess(noise(3000)))
    turns = 0
    while not task.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 10


async def test_the_refusal_says_how_long_a_large_picture_would_wait() -> None:
    preprocessor = Preprocessor(max_pixels=10**6, longest_wait_seconds=0.02, observer=CountingObserver())
    assert preprocessor.overload_error() is None
    tasks = [asyncio.create_task(preprocessor.preprocess(noise(400))) for _ in range(3)]
    await asyncio.sleep(0)
    before = str(preprocessor.overload_error())
    await asyncio.gather(*tasks)
    assert "would wait 30 milliseconds" in before
    assert preprocessor.overload_error() is None


async def test_the_estimate_of_the_wait_follows_the_latest_pictures() -> None:
    preprocessor = Preprocessor(max_pixels=10**6, longest_wait_seconds=0.001, observer=CountingObserver())
    for _ in range(30):  # pictures that cannot be decoded count too
        with pytest.raises(PictureError):
            await preprocessor.preprocess(b"no picture" * 300)
    overload_error = str(preprocessor.overload_error(received=100))  # a second by the initial estimate
    milliseconds = re.search(r"would wait (\d+) milliseconds", overload_error)
    assert milliseconds is not None
    assert int(milliseconds[1]) < 200


async def test_received_pictures_that_are_not_in_the_pool_yet_count_too() -> None:
    preprocessor = Preprocessor(max_pixels=10**6, longest_wait_seconds=0.015, observer=CountingObserver())
    assert preprocessor.overload_error(received=1) is None
    assert "would wait 100 milliseconds" in str(preprocessor.overload_error(received=10))
    tasks = [asyncio.create_task(preprocessor.preprocess(noise(400))) for _ in range(2)]
    await asyncio.sleep(0)
    assert preprocessor.overload_error(received=1) is not None  # two pictures are in the pool, though one is announced
    await asyncio.gather(*tasks)


async def test_two_large_pictures_are_accepted_however_long_they_wait() -> None:
    preprocessor = Preprocessor(max_pixels=10**6, longest_wait_seconds=0.001, observer=CountingObserver())
    assert preprocessor.overload_error(received=1) is None  # though the estimate for one is ten times that
    assert preprocessor.overload_error(received=2) is not None


async def test_a_large_picture_that_would_wait_too_long_is_refused() -> None:
    preprocessor = Preprocessor(max_pixels=10**6, longest_wait_seconds=0.015, observer=CountingObserver())
    tasks = [asyncio.create_task(preprocessor.preprocess(noise(400))) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded, match=r"would wait 20 milliseconds before it is decoded"):
        await preprocessor.preprocess(noise(400))
    assert (await preprocessor.preprocess(noise(20))).image.shape == (
        28,
        28,
    )  # a small one does not wait for the process
    await asyncio.gather(*tasks)
    await preprocessor.preprocess(noise(400))


@pytest.mark.slow
async def test_a_cancelled_picture_does_not_count() -> None:
    preprocessor = Preprocessor(max_pixels=10**8, longest_wait_seconds=0.015, observer=CountingObserver())
    tasks = [asyncio.create_task(preprocessor.preprocess(noise(4000))) for _ in range(2)]
    await asyncio.sleep(0.1)
    assert preprocessor.overload_error() is not None
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert preprocessor.overload_error() is None
    assert (await preprocessor.preprocess(noise(400))).image.shape == (28, 28)


async def test_a_picture_that_has_taken_long_extends_the_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PreprocessingPool, "longest_running_seconds", lambda pool: 3.0)
    preprocessor = Preprocessor(max_pixels=10**6, longest_wait_seconds=0.1, observer=CountingObserver())
    assert preprocessor.overload_error(received=1) is None
    assert "would wait 3000 milliseconds" in str(preprocessor.overload_error(received=2))


async def test_a_failed_warm_up_does_not_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail() -> None:
        raise OSError(24, "Too many open files")

    preprocessor = Preprocessor(max_pixels=10**6, longest_wait_seconds=1, observer=CountingObserver())
    monkeypatch.setattr(preprocessor._pool, "warm_up", fail)
    await preprocessor.warm_up()
