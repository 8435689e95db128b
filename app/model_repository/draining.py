"""Frees each version that has been replaced or unloaded, after the last request that uses it has been answered.

Requests are not counted: each request holds a reference to its version, and a weak reference shows whether any of these
references is left.
"""

import asyncio
import weakref
from collections.abc import Callable
from dataclasses import dataclass

from app.inference.batching import Batcher
from app.model_repository.loader import Loader
from app.model_repository.versions import LoadedVersion


@dataclass(frozen=True, eq=False)
class _Entry:
    loaded: weakref.ref[LoadedVersion]
    batcher: Batcher
    on_freed: Callable[[], None]


class DrainingVersions:
    """The versions of one repository that get no new requests and may still be in use."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader
        self._entries: list[_Entry] = []

    def add(self, loaded: LoadedVersion, *, on_freed: Callable[[], None]) -> None:
        """Add a version, to which the caller then drops its reference; call `on_freed` when it is freed."""
        self._entries.append(_Entry(weakref.ref(loaded), loaded.batcher, on_freed))

    async def free_unused(self) -> None:
        """Free the versions that no request uses any more."""
        unused = [entry for entry in self._entries if entry.loaded() is None]
        if unused:
            self._entries = [entry for entry in self._entries if entry not in unused]
            await asyncio.gather(*(_close(entry) for entry in unused))
            await self._loader.free(unused)

    async def close(self) -> None:
        """Score what is queued, and refuse new images."""
        await asyncio.gather(*(entry.batcher.close() for entry in self._entries))


async def _close(entry: _Entry) -> None:
    entry.on_freed()
    await entry.batcher.close()
