"""Puts the application together: settings in, FastAPI out. Nothing is opened before the lifespan begins."""

import asyncio
import gc
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.types import Scope

from app import __version__, problems
from app.admission import Admission, Room
from app.assets import Assets
from app.byte_budget import ByteBudget
from app.decompression import BodyReader
from app.door import Door
from app.explain import Explainer
from app.express import Express
from app.feedback import FeedbackStore
from app.guard import Guard, Tokens
from app.head_method import HeadAsGet
from app.heads import Heads
from app.inventory import Inventory
from app.journal import Journal
from app.logs import Lines, configure_logging
from app.middleware import RequestObserver
from app.orders import Orders, shared_folder
from app.predictor import Predictor
from app.reader import Reader
from app.receipts import Receipts
from app.repository import Repository
from app.routes import documentation, explain, feedback, health, models, page, predict, tfserving, v2
from app.scorer import Scorer
from app.settings import Settings
from app.shadow import Pair, Shadow
from app.shortcut import Shortcut
from app.statistics import Statistics
from app.telemetry import Telemetry
from app.watcher import watch

if TYPE_CHECKING:
    from app.tracing import Tracing

_START_SECONDS = 5.0
"""How long a worker may load its models before it accepts connections, and answers that it is not ready."""


def create_app(settings: Settings, *, output: Lines | None = None) -> FastAPI:
    """Build the service; its objects live on `app.state`, from the lifespan's beginning to its end.

    Args:
        settings: what can be configured.
        output: where the lines of the log go, if logging has been set up.

    """
    telemetry = Telemetry()
    tracing = _tracing(settings)
    log = structlog.get_logger().bind()  # bound once: it takes longer than the rest of a line
    journal = Journal(telemetry, log, access_log=settings.access_log)
    room = Room(settings.most_at_once)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        async with AsyncExitStack() as stack:
            if output is not None:
                await stack.enter_async_context(output.held_back())
            await stack.enter_async_context(telemetry)  # the first in is the last out, with everything counted
            if tracing is not None:
                await stack.enter_async_context(tracing.exporting(str(settings.otel_exporter_otlp_endpoint)))
            shadow = Shadow(Pair.parse(settings.shadow), telemetry) if settings.shadow else None
            orders = Orders(stack.enter_context(shared_folder()))
            repository = await stack.enter_async_context(
                Repository(settings, telemetry, orders, shadow=shadow, tracer=tracing)
            )
            telemetry.show(Inventory(repository, engine=settings.engine))
            observer = telemetry if tracing is None else tracing.beside(telemetry)
            reader = Reader(
                max_pixels=settings.max_pixels,
                longest_wait_seconds=settings.longest_wait_seconds,
                observer=observer,
                deadline_seconds=settings.deadline_seconds,
            )
            await _open_feedback(app, settings, stack)
            app.state.repository = repository
            app.state.predictor = Predictor(
                repository,
                reader,
                telemetry,
                deadline_seconds=settings.deadline_seconds,
                receipts=app.state.receipts,
            )
            app.state.bodies = BodyReader(max_bytes=settings.max_body_bytes, deadline_seconds=settings.deadline_seconds)
            app.state.scorer = Scorer(
                reader,
                telemetry,
                app.state.statistics,
                deadline_seconds=settings.deadline_seconds,
                max_files=settings.max_files,
            )
            app.state.explainer = Explainer(repository, reader, deadline_seconds=settings.deadline_seconds)
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(each) for each in (watch(repository), journal.run(), reader.warm_up())]
                if shadow is not None:
                    tasks.append(group.create_task(shadow.run(repository.find)))
                # No connection is accepted before: where there are other workers, one of them answers instead.
                await repository.wait_for_look(seconds=_START_SECONDS)
                yield _for_connections(settings) | _past_the_layers(app, room, reader, journal, tracing)
                for task in tasks:
                    task.cancel()

    app = FastAPIOffline(
        title="Digitserve",
        version=__version__,
        summary="Reads handwritten digits in the pictures that people send.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        telemetry={
            "tracing": tracing is not None,
            "tracer_provider": None if tracing is None else tracing.provider,
            "operation_spans": False,
            "exclude": _is_not_work,
            # Its own metrics and logs would look for who wants them each time.
            "metrics": False,
            "logs": False,
        },
    )
    app.state.settings = settings
    app.state.telemetry = telemetry
    app.state.statistics = Statistics()
    app.state.assets = Assets(Path(__file__).parent / "page")
    app.include_router(page.router)
    app.include_router(documentation.router)
    app.include_router(predict.router)
    app.include_router(feedback.router)
    app.include_router(explain.router)
    app.include_router(models.router)
    app.include_router(health.router)
    app.include_router(v2.router)
    app.include_router(tfserving.router)
    problems.install(app)
    _wrap(app, Tokens(settings), room, journal, tracing)
    return app


def worker_app() -> FastAPI:
    """Build the application of one worker process, from the environment."""
    output = configure_logging()
    app = create_app(Settings(), output=output)
    # What is there now stays. Looking through all of it for garbage takes 60 ms, and would be done again and again.
    gc.freeze()
    return app


def _wrap(app: FastAPI, tokens: Tokens, room: Room, journal: Journal, tracing: "Tracing | None") -> None:
    """Put the layers round the routes that each request passes."""
    layers = [
        Middleware(RequestObserver, journal=journal, trace=None if tracing is None else tracing.answered),
        *_for_pages(app.state.settings),
        Middleware(Admission, room=room),
        Middleware(Guard, tokens=tokens),
    ]
    short = predict.router.routes
    app.user_middleware = [*layers, Middleware(HeadAsGet), Middleware(tfserving.AnyCase)]
    if tracing is None:  # round even the layers that the framework puts there itself
        app.middleware_stack = Shortcut(app.build_middleware_stack(), routes=short, through=layers)
    else:  # within them, as one of them makes the span of the request
        app.user_middleware.insert(len(layers), Middleware(Shortcut, routes=short))


def _for_pages(settings: Settings) -> list[Middleware]:
    """Give what lets pages of other origins read answers (the CORS protocol of the Fetch standard), if any may."""
    if not settings.allowed_origins:
        return []
    layer = Middleware(
        CORSMiddleware,
        allow_origins=settings.allowed_origins,
        allow_methods=["GET", "HEAD", "POST"],
        allow_headers=["*"],
        allow_private_network=True,
        expose_headers=["X-Request-ID", "Retry-After", v2.HEADER_LENGTH],
    )
    return [layer]


def _tracing(settings: Settings) -> "Tracing | None":
    if settings.otel_exporter_otlp_endpoint is None:
        return None
    from app.tracing import Tracing  # noqa: PLC0415 - its packages are optional

    return Tracing()


def _for_connections(settings: Settings) -> dict[str, Any]:
    """Give what `intake.py` looks for in the lifespan's state."""
    most_bytes = max(settings.max_buffered_bytes, 2 * settings.max_body_bytes)  # room for one and its head at least
    return {"upload_seconds": settings.upload_seconds, "byte_budget": ByteBudget(most_bytes)}


def _past_the_layers(
    app: FastAPI, room: Room, reader: Reader, journal: Journal, tracing: "Tracing | None"
) -> dict[str, Any]:
    """Give what answers requests before they reach the layers, for `protocol.py` too."""
    if tracing is not None:  # which is one of the layers, and is to see every request
        return {}
    express = Express(app.state.predictor, journal, app.state.settings)
    routes = [route for router in (predict.router, explain.router) for route in router.routes]
    return {"door": Door(room, reader, journal, routes=routes), "express": express, "heads": Heads()}


def _is_not_work(scope: Scope) -> bool:
    """Tell what is asked over and over by machines, which no one wants to see traces of."""
    path: str = scope["path"]
    return path == "/metrics" or path.startswith("/health/")


async def _open_feedback(app: FastAPI, settings: Settings, stack: AsyncExitStack) -> None:
    """Open what corrections need, if they are collected."""
    app.state.feedback = app.state.receipts = None
    if settings.feedback_dir:
        app.state.receipts = _open_receipts(settings)
        store = FeedbackStore(
            settings.feedback_dir, limit=settings.feedback_limit, deadline_seconds=settings.deadline_seconds
        )
        app.state.feedback = await stack.enter_async_context(store)


def _open_receipts(settings: Settings) -> Receipts:
    """Make what hands out the ids of predictions; without a key, they are this process's own."""
    key = settings.feedback_key.get_secret_value() if settings.feedback_key else secrets.token_hex()
    return Receipts(key, seconds=settings.feedback_seconds)
