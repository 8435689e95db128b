"""The middleware of the application, in order. All of it is pure ASGI."""

from collections.abc import Callable, Sequence

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from app.settings import Settings
from app.web.admission_control import AdmissionMiddleware
from app.web.auth import AccessPolicy, AuthMiddleware
from app.web.head_method import HeadAsGet
from app.web.path_normalization import PathNormalizationMiddleware
from app.web.picture_frames import HEADER
from app.web.request_log_middleware import RequestLogMiddleware, RequestRecorder


def create_middleware(
    settings: Settings,
    recorder: RequestRecorder,
    *,
    trace: Callable[[str], None] | None,
    exposed_headers: Sequence[str] = (),
) -> list[Middleware]:
    """Create the middleware, the outermost first.

    Args:
        settings: of the service.
        recorder: receives each request.
        trace: called with the id of each request, in the context of its trace.
        exposed_headers: response headers that a page of an allowed origin may read, besides the common ones.

    """
    return [
        Middleware(RequestLogMiddleware, recorder=recorder, trace=trace),
        Middleware(PathNormalizationMiddleware, root_path=settings.root_path),
        *_cors(settings, exposed_headers),
        Middleware(AdmissionMiddleware),
        Middleware(AuthMiddleware, policy=AccessPolicy(settings)),
        Middleware(HeadAsGet),
    ]


def _cors(settings: Settings, exposed_headers: Sequence[str]) -> list[Middleware]:
    """Let pages of `ALLOWED_ORIGINS` read responses (the CORS protocol of the Fetch standard)."""
    if not settings.allowed_origins:
        return []
    middleware = Middleware(
        CORSMiddleware,
        allow_origins=settings.allowed_origins,
        allow_methods=["GET", "HEAD", "POST"],
        allow_headers=["*"],
        allow_private_network=True,
        expose_headers=["X-Request-ID", "Retry-After", HEADER, *exposed_headers],
    )
    return [middleware]
