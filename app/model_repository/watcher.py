"""Refreshes the model repository every second. Knows nothing of what a refresh does."""

import asyncio
import time

import structlog

from app.model_repository.repository import ModelRepository

EVERY_SECONDS = 1.0

_log = structlog.get_logger()


async def refresh_regularly(repository: ModelRepository, *, every_seconds: float = EVERY_SECONDS) -> None:
    """Refresh the repository at regular intervals, until cancelled.

    An error, such as a disk that is not available for a while, is logged; the loaded versions keep answering.
    """
    last_error = None
    while True:
        started = time.monotonic()
        try:
            await repository.refresh()
            last_error = None
        except Exception as error:  # noqa: BLE001 - logged; the loaded versions must keep answering
            if str(error) != last_error:  # once, not every second
                last_error = str(error)
                _log.error("model refresh failed", reason=last_error, exc_info=error)
        # The time that a refresh takes, with its loading, does not delay the next one.
        await asyncio.sleep(max(0.0, started + every_seconds - time.monotonic()))
