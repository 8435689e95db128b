import asyncio
import errno
import json
import os
import signal
import threading
from pathlib import Path
from typing import NoReturn

import fsspec
import httpx
import numpy as np
import pytest

from app.errors import DeadlineExceeded, StoreFull, StoreUnavailable
from app.feedback.store import FeedbackStore
from imaging import decode, encode_png
from tests.app.service import service

pytestmark = pytest.mark.anyio


def draw(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (28, 28), np.uint8)


def open_store(address: Path | str, limit: int = 100, **options: float) -> FeedbackStore:
    return FeedbackStore(str(address), limit=limit, **{"deadline_seconds": 10.0, **options})  # type: ignore[arg-type]


def files_under(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).parts[0] for path in folder.rglob("*") if path.is_file())


async def test_a_correction_is_a_png_file_in_the_folder_of_its_label(tmp_path: Path) -> None:
    async with open_store(tmp_path / "store") as store:
        assert await store.add(draw(1), "7")
    (file,) = (tmp_path / "store" / "7").iterdir()
    np.testing.assert_array_equal(decode(file.read_bytes()), draw(1))
    assert json.loads((tmp_path / "store" / "feedback.json").read_text()) == {"format": 1}
    assert files_under(tmp_path / "store") == ["7", "feedback.json"]


async def test_an_image_is_stored_only_under_its_newest_label(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        assert [await store.add(draw(1), label) for label in ("7", "7", "1", "not_a_digit", "1")] == [
            *(True, False),
            *(True, True, True),
        ]
    assert files_under(tmp_path) == ["1", "feedback.json"]


async def test_a_full_store_refuses_new_images_and_accepts_new_labels_of_stored_ones(tmp_path: Path) -> None:
    now = 0.0
    async with open_store(tmp_path, limit=2, clock=lambda: now) as store:  # type: ignore[arg-type]
        for seed in (1, 2):
            await store.add(draw(seed), "7")
        with pytest.raises(StoreFull, match="2 corrections are stored, the limit"):
            await store.add(draw(3), "7")
        assert not await store.add(draw(1), "7")
        assert files_under(tmp_path) == ["7", "7", "feedback.json"]
        next((tmp_path / "7").iterdir()).unlink()  # frees space
        now += 2
        assert await store.add(draw(3), "7")


@pytest.mark.parametrize("scheme", ["", "memory:/"])
async def test_a_new_label_of_a_stored_image_does_not_count_as_another_image(tmp_path: Path, scheme: str) -> None:
    async with open_store(f"{scheme}{tmp_path}", limit=3) as store:
        for label in ("7", "1", "2", "3"):
            assert await store.add(draw(1), label)
        for seed in (2, 3):
            await store.add(draw(seed), "7")
        with pytest.raises(StoreFull):
            await store.add(draw(4), "7")
        assert await store.add(draw(1), "4")  # also in a full store, because the number of images stays the same
        with pytest.raises(StoreFull):
            await store.add(draw(4), "7")


async def test_images_stored_by_other_workers_count(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await store.add(draw(1), "7")
    async with open_store(tmp_path, limit=1) as store:
        with pytest.raises(StoreFull):
            await store.add(draw(2), "7")


async def test_a_full_disk_raises_store_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    async with open_store(tmp_path) as store:
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fail)
            with pytest.raises(StoreFull, match="no space is left"):
                await store.add(draw(1), "7")
        assert files_under(tmp_path) == []
        assert await store.add(draw(1), "7")


async def test_a_store_that_becomes_writable_again_is_used(tmp_path: Path) -> None:
    place = tmp_path / "store"
    place.write_text("a file, not a folder")
    async with open_store(place) as store:
        with pytest.raises(StoreUnavailable, match="Try again later"):
            await store.add(draw(1), "7")
        place.unlink()
        assert await store.add(draw(1), "7")


async def test_a_store_of_another_format_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "feedback.json").write_text('{"format": 2}')
    async with open_store(tmp_path) as store:
        with pytest.raises(StoreUnavailable, match="format"):
            await store.add(draw(1), "7")
    assert files_under(tmp_path) == ["feedback.json"]


async def test_a_store_that_takes_too_long_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()
    async with open_store(tmp_path, deadline_seconds=0.01) as store:
        monkeypatch.setattr(os, "fsync", lambda descriptor: answered.wait())
        with pytest.raises(DeadlineExceeded):
            await store.add(draw(1), "7")
        answered.set()


async def test_concurrent_corrections_are_all_stored(tmp_path: Path) -> None:
    async with open_store(tmp_path) as one, open_store(tmp_path) as other:
        added = await asyncio.gather(*(store.add(draw(seed), "7") for seed in range(40) for store in (one, other)))
    assert sum(added) >= 40
    assert len(list((tmp_path / "7").iterdir())) == 40


async def test_a_store_may_be_any_filesystem_of_fsspec() -> None:
    async with open_store("memory://corrections/app") as store:
        assert await store.add(draw(1), "7")
        assert await store.add(draw(1), "1")
    memory = fsspec.filesystem("memory")
    (path,) = memory.ls("/corrections/app/1", detail=False)
    np.testing.assert_array_equal(decode(memory.cat_file(path)), draw(1))
    assert memory.glob("/corrections/app/7/*") == []
    memory.rm("/corrections", recursive=True)


@pytest.mark.slow
def test_after_kill_9_every_confirmed_correction_is_stored_and_every_file_is_whole(tmp_path: Path) -> None:
    stored: list[int] = []
    statuses: set[int] = set()
    enough = threading.Event()
    with service(WORKERS="2", FEEDBACK_DIR=str(tmp_path)) as (process, url):

        def correct(seeds: range) -> None:
            try:
                for seed in seeds:
                    # New connections, so that ids reach other workers than those that issued them.
                    picture = encode_png(np.pad(draw(seed)[:20, :20] // 128 * 255, 40))
                    response = httpx.post(f"{url}/predict", content=picture, headers={"content-type": "image/png"})
                    if response.status_code == 503:
                        continue  # the service is busy
                    correction = {"prediction_id": response.json()["prediction_id"], "label": seed % 10}
                    status = httpx.post(f"{url}/feedback", json=correction).status_code
                    statuses.add(status)
                    if status == 200:
                        stored.append(seed)
                    if len(stored) >= 60:
                        enough.set()
            except httpx.TransportError:
                pass  # the service is gone

        threads = [threading.Thread(target=correct, args=[range(start, 1000, 4)]) for start in range(4)]
        for thread in threads:
            thread.start()
        enough.wait(30)
        os.killpg(process.pid, signal.SIGKILL)  # in the middle of four corrections
        for thread in threads:
            thread.join()
    files = [path for path in tmp_path.glob("*/*") if not path.name.startswith(".")]
    assert statuses <= {200, 503}
    assert 60 <= len(stored) <= len(files) <= len(stored) + 4
    assert all(decode(path.read_bytes()).shape == (28, 28) for path in files)
