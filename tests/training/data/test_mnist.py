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

from training.data.mnist import SHA256, TRAIN_IMAGES, Mnist, fetch_file, find_file, load_mnist, read_idx
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
    assert SHA256[TRAIN_IMAGES] in message
    assert "MNIST_DIR" in message


@pytest.mark.parametrize("content", [b"", b"altered"])
def test_an_altered_file_raises_an_error_with_both_digests(tmp_path: Path, content: bytes) -> None:
    (tmp_path / TRAIN_IMAGES).write_bytes(content)
    with pytest.raises(DataError) as caught:
        find_file(tmp_path, TRAIN_IMAGES)
    message = str(caught.value)
    assert SHA256[TRAIN_IMAGES] in message
    assert hashlib.sha256(content).hexdigest() in message
    assert "Replace it" in message


def test_an_idx_file_has_the_shape_of_its_header(tmp_path: Path) -> None:
    values = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
    header = bytes([0, 0, 8, 3]) + struct.pack(">III", *values.shape)
    path = tmp_path / "three-dimensions.gz"
    path.write_bytes(gzip.compress(header + values.tobytes()))
    np.testing.assert_array_equal(read_idx(path), values)


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
