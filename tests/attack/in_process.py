"""The service and stock uvicorn in this process, with the same application. They start fast.

Knows uvicorn, the service's protocol and its application. The other tests of this folder know the service by its
command alone.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from app.main import create_app
from app.server.fast_path_connection import FastPathConnection
from app.settings import Settings
from tests.attack.servers import ROOT
from tests.attack.wire import Address


@asynccontextmanager
async def both_servers() -> AsyncIterator[tuple[Address, Address]]:
    """Run both servers, and yield the addresses of the service and of stock uvicorn."""
    app = create_app(Settings(models_dir=ROOT / "models", access_log=False))
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # it warns of each request that is none
    async with AsyncExitStack() as stack:
        state = await stack.enter_async_context(app.router.lifespan_context(app))
        with anyio.fail_after(30):
            while app.state.catalogue.not_ready_reasons():  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.01)
        shared = _Started(app, state or {})
        ours = await stack.enter_async_context(_listening(shared, FastPathConnection))
        yield ours, await stack.enter_async_context(_listening(shared, "httptools"))


class _Started:
    """An application whose lifespan runs elsewhere. Each server gets the lifespan state."""

    def __init__(self, app: ASGIApp, state: Mapping[str, Any]) -> None:
        self._app = app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        await receive()
        scope["state"].update(self._state)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})


@asynccontextmanager
async def _listening(app: ASGIApp, http: Any) -> AsyncIterator[Address]:  # noqa: ANN401 - as uvicorn takes it
    server = uvicorn.Server(uvicorn.Config(app, http=http, port=0, log_config=None))
    running = asyncio.create_task(server.serve())
    try:
        with anyio.fail_after(30):
            while not server.started:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.01)
        yield "127.0.0.1", server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await running
