"""Versions on their way out: each is freed when the last request that began on it has been answered.

Nobody counts requests: each holds the version that answers it, and Python knows when the last lets go.
"""

import asyncio
import weakref
from collections.abc import Callable
from dataclasses import dataclass

from app.inference.batching import Batcher
from app.model_repository.loader import Loader
from app.model_repository.versions import ServedVersion


@dataclass(frozen=True, eq=False)
class _Leaving:
    served: weakref.ref[ServedVersion]
    batcher: Batcher
    freed: Callable[[], None]


class DrainingVersions:
    """All versions of one repository that answer nothing new and may still be in use."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader
        self._leaving: list[_Leaving] = []

    def add(self, served: ServedVersion, *, freed: Callable[[], None]) -> None:
        """Watch a version that whoever calls is about to let go of, and say when it is freed."""
        self._leaving.append(_Leaving(weakref.ref(served), served.batcher, freed))

    async def free(self) -> None:
        """Free what no request holds any more."""
        gone = [leaving for leaving in self._leaving if leaving.served() is None]
        if gone:
            self._leaving = [leaving for leaving in self._leaving if leaving not in gone]
            await asyncio.gather(*(_close(leaving) for leaving in gone))
            await self._loader.free(gone)

    async def close(self) -> None:
        """Answer everyone who waits."""
        await asyncio.gather(*(leaving.batcher.close() for leaving in self._leaving))


async def _close(leaving: _Leaving) -> None:
    leaving.freed()
    await leaving.batcher.close()
