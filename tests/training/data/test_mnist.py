import gzip
import hashlib
import os
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from training.data.mnist import (
    CONTENT_SHA256,
    SHA256,
    TRAIN_IMAGES,
    Mnist,
    decode_idx,
    fetch_file,
    find_file,
    load_mnist,
    read_file,
)
from training.errors import DataError

Mirror = Callable[[bytes | None], str]
CONTENT = b"four files of digits" * 1_000
DIGEST = hashlib.sha256(CONTENT).hexdigest()
NAME = "images.gz"
NOBODY = "http://127.0.0.1:9/"


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Say nothing."""


@contextmanager
def serve_folder(folder: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_QuietHandler, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    """Give what starts a mirror that has the file with some content, or does not have it."""
    with ExitStack() as mirrors:

        def start(content: bytes | None) -> str:
            folder = tmp_path / f"mirror{len(list(tmp_path.iterdir()))}"
            folder.mkdir()
            if content is not None:
                (folder / NAME).write_bytes(content)
            return mirrors.enter_context(serve_folder(folder))

        yield start


def fetch(cache: Path, *mirrors: str) -> Path:
    return fetch_file(NAME, cache, mirrors, sha256=DIGEST, retries=0)


def files_under(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_missing_file_raises_an_error_with_its_digest(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        find_file(tmp_path, TRAIN_IMAGES)
    message = str(caught.value)
    assert str(tmp_path / TRAIN_IMAGES) in message
    assert CONTENT_SHA256[TRAIN_IMAGES] in message
    assert "MNIST_DIR" in message


@pytest.mark.parametrize("name", [TRAIN_IMAGES, "train-images-idx3-ubyte", "train-images.idx3-ubyte"])
def test_a_file_is_found_by_the_names_that_unpacking_gives_it(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    assert find_file(tmp_path, TRAIN_IMAGES) == tmp_path / name


@pytest.mark.parametrize("level", [None, 1, 9])
def test_a_file_is_known_by_the_digest_of_its_content(tmp_path: Path, level: int | None) -> None:
    path = tmp_path / NAME
    path.write_bytes(CONTENT if level is None else gzip.compress(CONTENT, level))
    assert read_file(path, DIGEST) == CONTENT


@pytest.mark.parametrize("content", [b"", b"altered"])
def test_an_altered_file_raises_an_error_with_both_digests(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / NAME
    path.write_bytes(gzip.compress(content))
    with pytest.raises(DataError) as caught:
        read_file(path, DIGEST)
    message = str(caught.value)
    assert DIGEST in message
    assert hashlib.sha256(content).hexdigest() in message
    assert "Replace it" in message


@pytest.mark.parametrize("change", [lambda packed: packed[:-9], lambda packed: packed[:40] + b"x" + packed[41:]])
def test_a_compressed_file_that_is_damaged_raises_an_error(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    path = tmp_path / NAME
    path.write_bytes(change(gzip.compress(CONTENT)))
    with pytest.raises(DataError, match=r"images\.gz is truncated or altered .* Replace it"):
        read_file(path, DIGEST)


def test_an_idx_file_has_the_shape_of_its_header() -> None:
    values = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
    header = bytes([0, 0, 8, 3]) + struct.pack(">III", *values.shape)
    np.testing.assert_array_equal(decode_idx(header + values.tobytes()), values)


def test_parts_have_names(bars: Mnist) -> None:
    assert [len(bars.part(name)) for name in ("train", "validation", "test")] == [500, 130, 170]


def test_a_file_is_downloaded_into_the_cache(tmp_path: Path, mirror: Mirror) -> None:
    path = fetch(tmp_path / "cache", mirror(CONTENT))
    assert path.read_bytes() == CONTENT
    assert files_under(tmp_path / "cache") == [path]


def test_a_cached_file_is_not_downloaded_again(tmp_path: Path, mirror: Mirror) -> None:
    path = fetch(tmp_path / "cache", mirror(CONTENT))
    assert fetch(tmp_path / "cache", NOBODY) == path


@pytest.mark.parametrize("content", [None, b"altered"])
def test_if_the_first_mirror_fails_the_second_is_used(tmp_path: Path, mirror: Mirror, content: bytes | None) -> None:
    path = fetch(tmp_path / "cache", mirror(content), mirror(CONTENT))
    assert path.read_bytes() == CONTENT
    assert files_under(tmp_path / "cache") == [path]


def test_if_every_mirror_fails_the_error_lists_each_and_no_file_remains(tmp_path: Path, mirror: Mirror) -> None:
    altered = mirror(CONTENT[:-1])
    with pytest.raises(DataError) as caught:
        fetch(tmp_path / "cache", NOBODY, altered)
    message = str(caught.value)
    for part in (NAME, "MNIST_DIR", NOBODY, altered, DIGEST, hashlib.sha256(CONTENT[:-1]).hexdigest()):
        assert part in message
    assert files_under(tmp_path / "cache") == []


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(DataError, match=r"cache cannot be created: .* XDG_CACHE_HOME .* MNIST_DIR"):
        fetch(tmp_path / "cache", NOBODY)


def test_a_cache_with_the_file_need_not_be_writable(
    tmp_path: Path, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fetch(tmp_path / "cache", mirror(CONTENT))
    monkeypatch.setattr("training.folders.os.access", lambda path, mode: mode == os.R_OK and path.exists())
    assert fetch(tmp_path / "cache", NOBODY) == path
    path.unlink()
    with pytest.raises(DataError, match="cache cannot be written to"):
        fetch(tmp_path / "cache", NOBODY)


@pytest.mark.slow
@pytest.mark.mnist
def test_unpacked_files_are_the_same_as_packed_ones(tmp_path: Path, mnist: Mnist) -> None:
    folder = Path(os.environ["MNIST_DIR"]) if os.environ.get("MNIST_DIR") else None
    for name in SHA256:
        path = find_file(folder, name) if folder else fetch_file(name)
        (tmp_path / name.removesuffix(".gz")).write_bytes(read_file(path, CONTENT_SHA256[name]))
    for part in ("train", "validation", "test"):
        np.testing.assert_array_equal(load_mnist(tmp_path).part(part).images, mnist.part(part).images)


@pytest.mark.slow
@pytest.mark.mnist
def test_mnist_is_split_into_three_parts(mnist: Mnist) -> None:
    assert [len(mnist.part(name)) for name in ("train", "validation", "test")] == [55_000, 5_000, 10_000]
    assert mnist.train.images.shape[1:] == (28, 28)
    assert mnist.validation.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert mnist.test.labels[:5].tolist() == [7, 2, 1, 0, 4]


@pytest.fixture
def mnist() -> Mnist:
    folder = os.environ.get("MNIST_DIR")
    return load_mnist(Path(folder) if folder else None)
