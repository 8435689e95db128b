"""Looks for new versions, over and over. Knows only how often, and what to do when the folder cannot be read."""

import asyncio
import time

import structlog

from app.model_repository.repository import ModelRepository

EVERY_SECONDS = 1.0

_log = structlog.get_logger()


async def watch(repository: ModelRepository, *, every_seconds: float = EVERY_SECONDS) -> None:
    """Keep the repository as the folder is, until cancelled.

    Trouble with looking, such as a disk that is away for a while, changes nothing of what is served.
    """
    trouble = None
    while True:
        started = time.monotonic()
        try:
            await repository.refresh()
            trouble = None
        except Exception as error:  # noqa: BLE001 - handed on to the log; what is served must not fall with it
            if str(error) != trouble:  # once, not every second
                trouble = str(error)
                _log.error("models cannot be looked for", reason=trouble, exc_info=error)
        # What a look has taken to load does not put off the next one.
        await asyncio.sleep(max(0.0, started + every_seconds - time.monotonic()))
