"""Looks for new versions, over and over. Knows only how often, and what to do when the folder cannot be read."""

import asyncio

import structlog

from app.repository import Repository

EVERY_SECONDS = 1.0

_log = structlog.get_logger()


async def watch(repository: Repository, *, every_seconds: float = EVERY_SECONDS) -> None:
    """Keep the repository as the folder is, until cancelled.

    Trouble with looking, such as a disk that is away for a while, changes nothing of what is served.
    """
    trouble = None
    while True:
        try:
            await repository.look()
            trouble = None
        except Exception as error:  # noqa: BLE001 - handed on to the log; what is served must not fall with it
            if str(error) != trouble:  # once, not every second
                trouble = str(error)
                _log.error("models cannot be looked for", reason=trouble, exc_info=error)
        await asyncio.sleep(every_seconds)
