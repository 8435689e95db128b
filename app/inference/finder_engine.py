"""Engines that run the finder: callables from pictures to maps of ink and cores. Know no requests and no model card.

`FinderRunner` lets many callers share one engine.
"""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from app.errors import FinderUnavailable
from app.inference.saved_models import OpenVINOModel, Precision, TensorFlowSignature, loading, precision_of
from app.settings import EngineKind

PICTURE_SIDE = 192
"""The side of the pictures, in pixels."""
MAP_SIDE = 96
"""The side of the maps, in pixels: each covers 2x2 pixels of the picture."""

FINDER_TOLERANCES: dict[EngineKind, float] = {"openvino": 1e-3, "openvino-bf16": 0.1, "tensorflow": 1e-3}
"""How far the probability of a pixel may be from the recorded one, besides the rounding of the recorded one to 1/255.

An error in bfloat16 grows over the layers of the finder, which are more than those of a classifier."""

Pictures = NDArray[np.uint8]


class FinderMaps(NamedTuple):
    """The output of the finder for n pictures: probabilities from 0 to 1, float32 of shape (n, 96, 96)."""

    ink: NDArray[np.float32]
    """The probability that the pixel is ink of a whole digit."""
    cores: NDArray[np.float32]
    """The probability that the pixel lies in the core of a digit: the inner ellipse, half as large as its box."""


class FinderEngine(Protocol):
    """Finds digits in pictures."""

    def __call__(self, pictures: Pictures) -> FinderMaps:
        """Return the maps of uint8 pictures of shape (n, 192, 192, 3), RGB. Not thread-safe."""


class OpenVINOFinderEngine:
    """Runs the SavedModel of a finder on one CPU thread, one picture after the other.

    The time of a picture in a batch of 4 or 8 is 0.96 of the time of a single picture. A graph for such a batch would
    take megabytes, so there is none.
    """

    def __init__(self, directory: Path, *, precision: Precision = "f32") -> None:
        """Load the SavedModel in `directory`.

        Raises:
            ValueError: if the processor does not support the precision.

        """
        self._picture = np.zeros((1, PICTURE_SIDE, PICTURE_SIDE, 3), np.uint8)
        self._request = OpenVINOModel(directory, precision).compile(self._picture)
        self._ink = self._request.get_tensor("ink").data
        self._cores = self._request.get_tensor("cores").data

    def __call__(self, pictures: Pictures) -> FinderMaps:
        """Return the maps of uint8 pictures of shape (n, 192, 192, 3), RGB."""
        maps = FinderMaps(*(np.empty((len(pictures), *self._ink.shape[1:]), np.float32) for _ in range(2)))
        for index, picture in enumerate(pictures):
            self._picture[0] = picture
            self._request.infer(share_outputs=True)  # otherwise OpenVINO copies them as well
            maps.ink[index], maps.cores[index] = self._ink[0], self._cores[0]
        return maps


class TensorFlowFinderEngine:
    """Runs the SavedModel of a finder in TensorFlow, all pictures in one batch."""

    def __init__(self, directory: Path) -> None:
        self._signature = TensorFlowSignature(directory)

    def __call__(self, pictures: Pictures) -> FinderMaps:
        """Return the maps of uint8 pictures of shape (n, 192, 192, 3), RGB."""
        maps = self._signature(pictures=pictures)
        return FinderMaps(maps["ink"], maps["cores"])


def load_finder_engine(kind: EngineKind, directory: Path) -> FinderEngine:
    """Load the SavedModel of a finder in `directory` into an engine of that kind.

    Raises:
        BrokenArtefact: if the engine cannot load it.

    """
    with loading(kind, directory):
        if kind == "tensorflow":
            return TensorFlowFinderEngine(directory)
        return OpenVINOFinderEngine(directory, precision=precision_of(kind))


class FinderRunner:
    """Runs one engine for many callers, for one of them at a time. All methods are thread-safe."""

    def __init__(self, engine: FinderEngine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        # A picture takes milliseconds, in which the event loop answers other requests. The first starts the thread.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="finder")
        self._is_closed = False

    async def run(self, pictures: Pictures) -> FinderMaps:
        """Return the maps of uint8 pictures of shape (n, 192, 192, 3), RGB. They are computed in a thread.

        If the caller is cancelled before its pictures are due, they are skipped.

        Raises:
            FinderUnavailable: if the runner has been closed.
            Exception: whatever the engine raised.

        """
        self._check_open()
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, pictures)

    def run_blocking(self, pictures: Pictures) -> FinderMaps:
        """Return what `run` returns. They are computed in the calling thread, which must not be the event loop's.

        Raises:
            FinderUnavailable: if the runner has been closed.
            Exception: whatever the engine raised.

        """
        self._check_open()
        return self._run(pictures)

    def _run(self, pictures: Pictures) -> FinderMaps:
        with self._lock:
            return self._engine(pictures)

    def _check_open(self) -> None:
        if self._is_closed:
            message = "The finder is being unloaded. Try again in a second."
            raise FinderUnavailable(message)

    async def close(self) -> None:
        """Refuse new pictures, find digits in those that wait, then stop the thread."""
        self._is_closed = True
        await asyncio.to_thread(self._thread.shutdown)
