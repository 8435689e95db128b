"""Builds the ASGI application from the settings.

The lifespan opens files, starts threads and loads models; at the end it releases all of them.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.middleware import Middleware
from starlette.types import Scope

from app.feedback.lifespan import open_feedback
from app.model_repository.lifespan import open_repository
from app.observability.lifespan import Observability
from app.observability.log_setup import configure_logging
from app.observability.statistics import Statistics
from app.prediction.digit_search import DigitSearch
from app.prediction.explainer import Explainer
from app.prediction.predictor import Predictor
from app.prediction.preprocessor import Preprocessor
from app.prediction.reader import Reader
from app.prediction.second_look import SecondLook
from app.protocols.tensor_predictor import TensorPredictor
from app.routes import TAGS, include_routes
from app.routes.open_inference import HEADER_LENGTH_FIELD
from app.settings import Settings
from app.web import openapi_document, problems
from app.web.admission_control import AdmissionControl
from app.web.case_insensitive_paths import CaseInsensitivePathsMiddleware
from app.web.concurrency_limit import ConcurrencyLimit
from app.web.decompression import BodyReader
from app.web.middleware import create_middleware
from imaging import __version__

_START_SECONDS = 5.0
"""How long a worker waits for its models before it accepts connections. After that it responds that it is not ready."""


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the service.

    Args:
        settings: of the service. If left out, they are read from the environment and logging is configured: an ASGI
            server calls the function like this, as a factory.

    """
    log_writer = configure_logging() if settings is None else None
    settings = settings or Settings()
    observability = Observability(settings, log_writer)
    tracing = observability.tracing
    app = FastAPIOffline(
        title="Digitserve",
        version=__version__,
        summary=openapi_document.SUMMARY,
        description=openapi_document.DESCRIPTION,
        license_info=openapi_document.LICENCE,
        openapi_tags=TAGS,
        generate_unique_id_function=openapi_document.operation_id,
        lifespan=_lifespan,
        redirect_slashes=False,  # a slash at the end makes no difference: app/web/path_normalization.py
        servers=[{"url": settings.root_path or "/"}],
        docs_url=None,
        redoc_url=None,
        telemetry={
            "tracing": tracing is not None,
            "tracer_provider": None if tracing is None else tracing.provider,
            "operation_spans": False,
            "auto_configure": False,  # it would export each span a second time
            "exclude": _is_monitoring,
            "metrics": False,  # the service has its own metrics and logs
            "logs": False,
        },
    )
    app.state.settings = settings
    app.state.observability = observability
    include_routes(app)
    problems.install(app)
    openapi_document.install(app)
    app.user_middleware = [
        *create_middleware(
            settings,
            observability.request_log,
            trace=None if tracing is None else tracing.add_request_id,
            exposed_headers=[HEADER_LENGTH_FIELD],
        ),
        Middleware(CaseInsensitivePathsMiddleware),
    ]
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    """Open the parts of the service and put them on `app.state`; close them in the reverse order."""
    state, settings, observability = app.state, app.state.settings, app.state.observability
    state.metrics, state.statistics = observability.metrics, Statistics.shared_by_workers()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(observability.running())
        state.repository = await stack.enter_async_context(
            open_repository(settings, state.metrics, observability.tracing)
        )
        state.feedback = await stack.enter_async_context(open_feedback(settings))
        state.catalogue = state.repository.catalogue
        preprocessor = Preprocessor.from_settings(settings, observability.picture_observer)
        digit_search = DigitSearch(observability.picture_observer, settings)
        stack.callback(digit_search.close)
        prediction_ids = state.feedback and state.feedback.prediction_ids
        state.predictor = Predictor(
            state.catalogue,
            preprocessor,
            SecondLook(state.catalogue, digit_search),
            state.metrics,
            deadline_seconds=settings.deadline_seconds,
            prediction_ids=prediction_ids,
        )
        state.reader = Reader(
            state.catalogue,
            preprocessor,
            digit_search,
            state.metrics,
            deadline_seconds=settings.deadline_seconds,
            prediction_ids=prediction_ids,
        )
        state.explainer = Explainer(state.catalogue, preprocessor, deadline_seconds=settings.deadline_seconds)
        state.tensor_predictor = TensorPredictor(
            preprocessor,
            state.metrics,
            state.statistics,
            deadline_seconds=settings.deadline_seconds,
            max_files=settings.max_files,
        )
        state.body_reader = BodyReader(max_bytes=settings.max_body_bytes, deadline_seconds=settings.deadline_seconds)
        limit = ConcurrencyLimit(settings.most_at_once)
        state.admission_control = AdmissionControl(limit, preprocessor.overload_error)
        group = await stack.enter_async_context(asyncio.TaskGroup())
        tasks = [group.create_task(observability.request_log.run()), group.create_task(preprocessor.warm_up())]
        # No connection is accepted before this: other workers, if there are any, answer meanwhile.
        await state.repository.wait_for_first_refresh(seconds=_START_SECONDS)
        if settings.grpc_port is not None:
            await stack.enter_async_context(_serve_grpc(app))
        yield {"upload_seconds": settings.upload_seconds}
        for task in tasks:
            task.cancel()


def _serve_grpc(app: FastAPI) -> AbstractAsyncContextManager[None]:
    from app.grpc.lifespan import serve_grpc  # noqa: PLC0415 - its packages are optional
    from app.grpc.parts import Parts  # noqa: PLC0415

    state, observability = app.state, app.state.observability
    return serve_grpc(
        Parts(state.settings, state.repository, state.tensor_predictor, state.statistics),
        observability.request_log,
        state.admission_control.limit,
        observability.tracing and observability.tracing.trace_call,
    )


def _is_monitoring(scope: Scope) -> bool:
    """Tell whether a request is one of a monitoring system; these have no traces."""
    path: str = scope["path"]
    return path == "/metrics" or path.startswith("/health/")
