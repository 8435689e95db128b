"""Creates the application of a worker process. Its lifespan state contains the objects that connections need."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.datastructures import State

from app.main import create_app
from app.routes import explain, predict
from app.server.byte_budget import ByteBudget
from app.server.drain_period import drain_period
from app.server.fast_path import FastPath
from app.server.head_cache import HeadCache
from app.server.refusals import Refusals
from app.settings import Settings


def create_worker_app(settings: Settings | None = None) -> FastAPI:
    """Create the application. Without settings, they are read from the environment."""
    app = create_plain_app(settings)
    application_lifespan = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        async with application_lifespan(app) as state:
            yield {**(state or {}), **_connection_state(app.state)}

    app.router.lifespan_context = lifespan
    # Objects that exist now live as long as the process. Without this, each garbage collection of them takes 60 ms.
    gc.freeze()
    return app


def create_plain_app(settings: Settings | None = None) -> FastAPI:
    """Create the application for unmodified uvicorn: with a drain period, and without objects for connections."""
    app = create_app(settings)
    application_lifespan = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[Any]:
        async with application_lifespan(app) as state:
            with drain_period(app.state.settings.drain_seconds, app.state.catalogue.report_stopping):
                yield state

    app.router.lifespan_context = lifespan
    return app


def _connection_state(state: State) -> dict[str, Any]:
    """Return the lifespan state that `connection.py` and `fast_path_connection.py` use."""
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
        "head_cache": HeadCache(),
        "root_path": settings.root_path,
    }
