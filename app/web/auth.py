"""Authenticates requests by bearer token, and refuses requests from pages of other origins. Pure ASGI.

GET, HEAD and OPTIONS need no token. Loading and unloading need ADMIN_TOKEN, all other requests PREDICT_TOKEN: a new
route is protected by default. If no token is set, a service on a loopback address or a Unix socket accepts requests
from programs on this machine and from its own page. All paths are treated alike, except those of loading and unloading.
"""

import hmac
import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from pydantic import SecretStr
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import CrossOriginRequest, LoadingForbidden, ServiceError, Unauthenticated
from app.settings import ANY_ORIGIN, UNIX, Settings
from app.web import problems

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
ADMIN_PREFIX = "/v2/repository/models/"
"""The paths of requests to load or unload a model."""


class AccessPolicy:
    """Decides which requests are allowed, by the settings."""

    def __init__(self, settings: Settings) -> None:
        self._host = settings.host
        self._predict_token = _encode(settings.predict_token)
        self._admin_token = _encode(settings.admin_token)
        self._is_local = settings.host.startswith(UNIX) or _is_loopback(settings.host)
        self._allowed_origins = settings.allowed_origins

    def check(self, scope: Scope) -> ServiceError | None:
        """Return the error if a request is not allowed, or None."""
        if scope["method"] in _SAFE_METHODS:
            return None
        if not scope["path"].lower().startswith(ADMIN_PREFIX):
            if self._predict_token is not None:
                return _check_token(scope, self._predict_token, "PREDICT_TOKEN")
            return _check_origin(scope, self._allowed_origins) if self._is_local else None
        if self._admin_token is not None:
            return _check_token(scope, self._admin_token, "ADMIN_TOKEN")
        return _check_origin(scope, is_admin=True) if self._is_local else LoadingForbidden(self._host)


class AuthMiddleware:
    """Answers requests that the policy does not allow with 401 or 403."""

    def __init__(self, app: ASGIApp, *, policy: AccessPolicy) -> None:
        self._app = app
        self._policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it before its body is read."""
        if scope["type"] == "http" and (error := self._policy.check(scope)):
            await problems.refuse(error, scope, receive, send)
            return
        await self._app(scope, receive, send)


def _check_origin(
    scope: Scope, allowed: Collection[str] = frozenset(), *, is_admin: bool = False
) -> CrossOriginRequest | None:
    """Refuse a request from a page whose origin is neither this service's own nor allowed.

    A browser on this machine sends the POST of any page to a loopback address. Its `Origin` header names the page's
    origin (RFC 6454), and a page cannot leave it out. With DNS rebinding, the page has the origin of the service, but
    its host is not a loopback address.
    """
    header = _header(scope, b"origin")
    if not header:
        return None
    origin = header.decode("latin-1")
    if origin in allowed or ANY_ORIGIN in allowed or _is_same_origin(origin, scope):
        return None
    return CrossOriginRequest(origin, is_admin=is_admin)


def _is_same_origin(origin: str, scope: Scope) -> bool:
    try:
        page = urlsplit(origin)
    except ValueError:
        return False
    return page.netloc == _header(scope, b"host").decode("latin-1") and _is_loopback(page.hostname or "")


def _header(scope: Scope, name: bytes) -> bytes:
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return b""


def _check_token(scope: Scope, expected: bytes, setting: str) -> Unauthenticated | None:
    sent = _header(scope, b"authorization")
    scheme, _, token = sent.partition(b" ")
    # Compared in constant time: the duration must not tell how much of a guessed token is correct.
    if scheme.lower() == b"bearer" and hmac.compare_digest(token.strip(), expected):
        return None
    return Unauthenticated(setting, given=bool(sent))


def _encode(token: SecretStr | None) -> bytes | None:
    return None if token is None else token.get_secret_value().encode()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
