"""Opens the feedback store, and closes it when the service stops."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from app.feedback.prediction_ids import PredictionIds
from app.feedback.store import FeedbackStore
from app.settings import Settings


class Feedback(NamedTuple):
    """The store of corrections, and the ids by which requests name predictions."""

    store: FeedbackStore
    prediction_ids: PredictionIds


@asynccontextmanager
async def open_feedback(settings: Settings) -> AsyncIterator[Feedback | None]:
    """Open the store in `FEEDBACK_DIR`; yield None if that is not set."""
    if settings.feedback_dir is None:
        yield None
        return
    # Without a key, only this process can verify the ids that it issues.
    key = settings.feedback_key.get_secret_value() if settings.feedback_key else secrets.token_hex()
    prediction_ids = PredictionIds(key, seconds=settings.feedback_seconds)
    async with FeedbackStore(
        settings.feedback_dir, limit=settings.feedback_limit, deadline_seconds=settings.deadline_seconds
    ) as store:
        yield Feedback(store, prediction_ids)
