"""A finder without weights: the darkness of a picture is its ink, and the square of that its cores.

Its SavedModel lies in `tiny_finder_model/`, so that tests need no TensorFlow. `python -m tests.app.tiny_finder` makes
that folder again.
"""

import base64
import hashlib
import json
import shutil
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from app.inference.finder_engine import FinderMaps, Pictures

SAVED_MODEL = Path(__file__).parent / "tiny_finder_model"


class Darkness:
    """The same finder as an engine in NumPy."""

    def __call__(self, pictures: Pictures) -> FinderMaps:
        darkness = 1 - pictures.astype(np.float32).mean(axis=3) / 255
        ink = darkness.reshape(-1, 96, 2, 96, 2).mean(axis=(2, 4))
        return FinderMaps(ink, ink**2)


class CountingFinder:
    """The finder without weights, which counts its runs; with cores at places of the map, if these are given."""

    def __init__(self, *cores: tuple[slice, slice]) -> None:
        self.cores = cores
        self.runs = 0

    def __call__(self, pictures: Pictures) -> FinderMaps:
        self.runs += len(pictures)
        maps = Darkness()(pictures)
        if self.cores:
            maps.cores[:] = 0
            for rows, columns in self.cores:
                maps.cores[:, rows, columns] = 0.9
        return maps


def draw_shapes(*shapes: tuple[str, Sequence[int]], side: int = 192) -> NDArray[np.uint8]:
    """Draw lines and ellipses on a white square."""
    page = Image.new("RGB", (side, side), "white")
    for kind, points in shapes:
        if kind == "ellipse":
            ImageDraw.Draw(page).ellipse(points, outline=0, width=8)
        else:
            ImageDraw.Draw(page).line(points, fill=0, width=12)
    return np.asarray(page)


def draw_pages(count: int) -> Pictures:
    """Return white pages, each with dark squares at other places."""
    rng = np.random.default_rng(count)
    squares = rng.integers(0, 256, (count, 12, 12, 3), dtype=np.uint8)
    squares[rng.random((count, 12, 12)) < 0.8] = 255
    return squares.repeat(16, axis=1).repeat(16, axis=2)


def card(version: int = 1, files: dict[str, str] | None = None, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """Return the members of the finder's `model.json`."""
    pages = draw_pages(1)
    maps = Darkness()(pages)
    report = {"pages": 4, "ink_f1": 0.9, "digits": 10, "found": 9, "false": 1, "recall": 0.9, "precision": 0.9}
    return {
        "name": "finder",
        "version": version,
        "created_at": "2026-11-29T12:00:00Z",
        "task": "find_digits",
        "architecture": "the mean of 2x2 pixels",
        "parameters": 1,
        "multiply_adds": 27_648,
        "training": {"recipe": "finder", "seed": 1},
        "data": {"name": "pages", "files": {}, "split": {"train": 1}},
        "history": [{"iteration": 1, "loss": 0.5, "validation_ink_f1": 0.9}],
        "validation": report,
        "test": report,
        "thresholds": {"ink": 0.5, "core": 0.4},
        "files": files or {"saved_model.pb": "0" * 64},
        "software": {"python": "3.11", "tensorflow": "2.20", "digitserve": "0.2.0"},
        "self_test": {
            "pictures": compress(pages),
            "ink": compress((maps.ink * 255).round().astype(np.uint8)),
            "cores": compress((maps.cores * 255).round().astype(np.uint8)),
        },
        **changes,
    }


def compress(array: NDArray[np.uint8]) -> str:
    return base64.b64encode(zlib.compress(array.tobytes())).decode()


def publish_finder(models_dir: Path, version: int = 1, **changes: Any) -> Path:  # noqa: ANN401 - as above
    """Publish the finder in a test's own folder of models, with changes to its card; return the folder of the version.

    A version with the same number is removed first: the fixture `models_dir` has a copy of the published finder.
    """
    shutil.rmtree(models_dir / "finder" / str(version), ignore_errors=True)
    hidden = Path(shutil.copytree(SAVED_MODEL, models_dir / "finder" / f".{version}"))
    files = {
        path.relative_to(hidden).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in hidden.rglob("*")
        if path.is_file()
    }
    (hidden / "model.json").write_text(json.dumps(card(version, files, **changes)))
    return hidden.rename(models_dir / "finder" / str(version))


def save(directory: Path) -> None:
    """Save the finder as a SavedModel."""
    import tensorflow as tf  # noqa: PLC0415 - takes seconds

    class Module(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[tf.TensorSpec((None, 192, 192, 3), tf.uint8, name="pictures")])  # type: ignore[untyped-decorator]
        def find(self, pictures: Any) -> Any:  # noqa: ANN401 - a tensor
            darkness = 1 - tf.reduce_mean(tf.cast(pictures, tf.float32), axis=3) / 255
            ink = tf.reduce_mean(tf.reshape(darkness, (-1, 96, 2, 96, 2)), axis=(2, 4))
            return {"ink": ink, "cores": ink**2}

    module = Module()
    tf.saved_model.save(module, str(directory), signatures={"serving_default": module.find})


if __name__ == "__main__":
    shutil.rmtree(SAVED_MODEL)
    save(SAVED_MODEL)
