import asyncio
import re

import numpy as np
import pytest

from app.errors import MalformedRequest, Overloaded
from app.prediction.preprocessor import Preprocessor
from imaging import (
    PictureError,
    PictureTooLarge,
    PreprocessedPicture,
    UnsupportedPicture,
    encode_png,
    preprocess_picture,
)

pytestmark = pytest.mark.anyio


class Diary:
    def __init__(self) -> None:
        self.preprocessed = 0

    def observe_preprocessing(self, seconds: float) -> None:
        self.preprocessed += 1


def noise(side: int) -> bytes:
    """Make a picture that no compression makes small."""
    return encode_png(np.random.default_rng(0).integers(0, 256, (side, side), dtype=np.uint8))


async def test_small_and_large_pictures_are_read_alike(seven: bytes) -> None:
    diary = Diary()
    reader = Preprocessor(max_pixels=10**6, longest_wait_seconds=1, observer=diary)
    for data in (seven, noise(400)):
        reading = await reader.read(data)
        assert (reading.image == preprocess_picture(data).image).all()
    assert diary.preprocessed == 2


async def test_no_bytes_are_refused() -> None:
    reader = Preprocessor(max_pixels=10**6, longest_wait_seconds=1, observer=Diary())
    with pytest.raises(MalformedRequest, match="0 bytes"):
        await reader.read(b"")


async def test_several_are_read_in_their_order_whatever_is_among_them(seven: bytes) -> None:
    pictures = [noise(400), b"", seven, b"no picture", b"no picture" * 200, noise(20)]
    diary = Diary()
    reader = Preprocessor(max_pixels=10**6, longest_wait_seconds=1, observer=diary)
    outcomes = await reader.read_several(pictures)
    assert await reader.read_several([]) == []
    for place in (0, 2, 5):
        outcome = outcomes[place]
        assert isinstance(outcome, PreprocessedPicture)
        assert (outcome.image == preprocess_picture(pictures[place]).image).all()
    assert [type(outcomes[place]) for place in (1, 3, 4)] == [MalformedRequest, UnsupportedPicture, UnsupportedPicture]
    assert diary.preprocessed == 5  # one that is large and no picture took no time to read


@pytest.mark.parametrize("side", [20, 400])
async def test_errors_come_through(side: int) -> None:
    reader = Preprocessor(max_pixels=side * side - 1, longest_wait_seconds=1, observer=Diary())
    with pytest.raises(PictureTooLarge):
        await reader.read(noise(side))
    with pytest.raises(PictureError):
        await reader.read(b"no picture" * side)


async def test_the_loop_turns_while_a_large_picture_is_read() -> None:
    reader = Preprocessor(max_pixels=10**8, longest_wait_seconds=1, observer=Diary())
    reading = asyncio.create_task(reader.read(noise(3000)))
    turns = 0
    while not reading.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 10


async def test_it_says_how_long_a_large_picture_would_wait() -> None:
    reader = Preprocessor(max_pixels=10**6, longest_wait_seconds=0.02, observer=Diary())
    assert reader.refusal() is None
    preprocessed = [asyncio.create_task(reader.read(noise(400))) for _ in range(3)]
    await asyncio.sleep(0)
    before = str(reader.refusal())
    await asyncio.gather(*preprocessed)
    assert "would wait 30 milliseconds" in before
    assert reader.refusal() is None


async def test_the_wait_is_what_others_took_of_late() -> None:
    reader = Preprocessor(max_pixels=10**6, longest_wait_seconds=0.001, observer=Diary())
    for _ in range(30):  # nothing is learnt sooner from what cannot be read
        with pytest.raises(PictureError):
            await reader.read(b"no picture" * 300)
    refusal = str(reader.refusal(expected=100))  # which would be a second, as far as it knew at first
    milliseconds = re.search(r"would wait (\d+) milliseconds", refusal)
    assert milliseconds is not None
    assert int(milliseconds[1]) < 200


async def test_what_has_come_and_is_not_here_yet_is_waited_for_too() -> None:
    reader = Preprocessor(max_pixels=10**6, longest_wait_seconds=0.015, observer=Diary())
    assert reader.refusal(expected=1) is None
    assert "would wait 100 milliseconds" in str(reader.refusal(expected=10))
    preprocessed = [asyncio.create_task(reader.read(noise(400))) for _ in range(2)]
    await asyncio.sleep(0)
    assert reader.refusal(expected=1) is not None  # of those that are here, one was not expected
    await asyncio.gather(*preprocessed)


async def test_two_large_pictures_may_wait_however_long_they_take() -> None:
    reader = Preprocessor(max_pixels=10**6, longest_wait_seconds=0.001, observer=Diary())
    assert reader.refusal(expected=1) is None  # though one takes ten times that
    assert reader.refusal(expected=2) is not None


async def test_a_large_picture_is_refused_that_would_wait_too_long() -> None:
    reader = Preprocessor(max_pixels=10**6, longest_wait_seconds=0.015, observer=Diary())
    preprocessed = [asyncio.create_task(reader.read(noise(400))) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded, match=r"would wait 20 milliseconds before it is read"):
        await reader.read(noise(400))
    assert (await reader.read(noise(20))).image.shape == (28, 28)  # a small one does not wait for the thread
    await asyncio.gather(*preprocessed)
    await reader.read(noise(400))


async def test_who_leaves_frees_the_place_of_the_picture() -> None:
    reader = Preprocessor(max_pixels=10**8, longest_wait_seconds=0.015, observer=Diary())
    preprocessed = [asyncio.create_task(reader.read(noise(4000))) for _ in range(2)]
    await asyncio.sleep(0.1)
    assert reader.refusal() is not None
    for reading in preprocessed:
        reading.cancel()
    await asyncio.wait(preprocessed)
    assert reader.refusal() is None
    assert (await reader.read(noise(400))).image.shape == (28, 28)


async def test_a_picture_that_takes_long_is_known_to_hold_up_others(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Preprocessor(max_pixels=10**6, longest_wait_seconds=0.1, observer=Diary())
    monkeypatch.setattr(reader._pool, "seconds_under_way", lambda: 3.0)
    assert reader.refusal(expected=1) is None
    assert "would wait 3000 milliseconds" in str(reader.refusal(expected=2))


async def test_a_process_that_cannot_be_started_beforehand_is_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail() -> None:
        raise OSError(24, "Too many open files")

    reader = Preprocessor(max_pixels=10**6, longest_wait_seconds=1, observer=Diary())
    monkeypatch.setattr(reader._pool, "warm_up", fail)
    await reader.warm_up()
