"""Frees each version that has been replaced or unloaded, after the last request that uses it has been answered.

Requests are not counted: each request holds a reference to its version, and a weak reference shows whether any of these
references is left.
"""

import asyncio
import weakref
from collections.abc import Callable
from dataclasses import dataclass

from app.inference.batching import Batcher
from app.inference.finder_engine import FinderRunner
from app.model_repository.loader import Loader
from app.model_repository.versions import Loaded


@dataclass(frozen=True, eq=False)
class _Entry:
    loaded: weakref.ref[Loaded]
    queue: Batcher | FinderRunner
    on_freed: Callable[[], None]


class DrainingVersions:
    """The versions of one repository that get no new requests and may still be in use."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader
        self._entries: list[_Entry] = []

    def add(self, loaded: Loaded, *, on_freed: Callable[[], None]) -> None:
        """Add a version, to which the caller then drops its reference; call `on_freed` when it is freed."""
        self._entries.append(_Entry(weakref.ref(loaded), loaded.engine_queue, on_freed))

    async def free_unused(self) -> None:
        """Free the versions that no request uses any more."""
        unused = [entry for entry in self._entries if entry.loaded() is None]
        if unused:
            self._entries = [entry for entry in self._entries if entry not in unused]
            await asyncio.gather(*(_close(entry) for entry in unused))
            await self._loader.free(unused)

    async def close(self) -> None:
        """Answer what is queued, and refuse new images and pictures."""
        await asyncio.gather(*(entry.queue.close() for entry in self._entries))


async def _close(entry: _Entry) -> None:
    entry.on_freed()
    await entry.queue.close()
