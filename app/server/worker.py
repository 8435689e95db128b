"""The application of one worker process, with what its connections need in the lifespan state."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.datastructures import State

from app.main import create_app
from app.routes import explain, predict
from app.server.byte_budget import ByteBudget
from app.server.fast_path import FastPath
from app.server.header_cache import HeaderCache
from app.server.refusals import Refusals
from app.settings import Settings


def create_worker_app(settings: Settings | None = None) -> FastAPI:
    """Build the application, from the environment if no settings are given."""
    app = create_app(settings)
    open_application = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        async with open_application(app) as state:
            yield {**(state or {}), **_connection_state(app.state)}

    app.router.lifespan_context = lifespan
    # Objects that exist now stay: to search them for garbage takes 60 ms, again and again.
    gc.freeze()
    return app


def _connection_state(state: State) -> dict[str, Any]:
    """Return what `connection.py` and `fast_path_connection.py` look for in the lifespan state."""
    settings: Settings = state.settings
    max_bytes = max(settings.max_buffered_bytes, 2 * settings.max_body_bytes)  # at least one request with its head
    shared = {"byte_budget": ByteBudget(max_bytes)}
    # Only the middleware traces requests and adds the headers that pages of other origins need.
    if state.observability.tracing is not None or settings.allowed_origins:
        return shared
    request_log = state.observability.request_log
    routes = [*predict.router.routes, *explain.router.routes]
    return shared | {
        "admission_control": state.admission_control,
        "refusals": Refusals(request_log, routes),
        "fast_path": FastPath(state.predictor, request_log, settings),
        "header_cache": HeaderCache(),
    }
