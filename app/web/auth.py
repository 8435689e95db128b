"""Authenticates requests by bearer token, and refuses requests from pages of other origins. Pure ASGI.

GET, HEAD and OPTIONS need no token. Loading and unloading need ADMIN_TOKEN, all other requests PREDICT_TOKEN: a new
route is protected by default. If no token is set, a service on a loopback address or a Unix socket accepts requests
from programs on this machine and from its own page. All paths are treated alike, except those of loading and unloading.
"""

import hmac
import ipaddress
from collections.abc import Collection, Sequence
from urllib.parse import urlsplit

from pydantic import SecretStr
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import CrossOriginRequest, LoadingForbidden, ServiceError, Unauthenticated
from app.settings import ANY_ORIGIN, UNIX, Settings
from app.web import problems

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
ADMIN_PREFIX = "/v2/repository/models/"
"""The paths of requests to load or unload a model."""

Headers = Sequence[tuple[bytes, bytes]]
"""The names, in lower case, and values of headers, as in an ASGI scope."""


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
        return self.check_headers(scope["headers"], is_admin=scope["path"].lower().startswith(ADMIN_PREFIX))

    def check_headers(self, headers: Headers, *, is_admin: bool) -> ServiceError | None:
        """Return the error if a request that needs a token is not allowed, or None.

        Args:
            headers: of the request.
            is_admin: whether it loads or unloads a model.

        """
        if not is_admin:
            if self._predict_token is not None:
                return _check_token(headers, self._predict_token, "PREDICT_TOKEN")
            return _check_origin(headers, self._allowed_origins) if self._is_local else None
        if self._admin_token is not None:
            return _check_token(headers, self._admin_token, "ADMIN_TOKEN")
        return _check_origin(headers, is_admin=True) if self._is_local else LoadingForbidden(self._host)


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
    headers: Headers, allowed: Collection[str] = frozenset(), *, is_admin: bool = False
) -> CrossOriginRequest | None:
    """Refuse a request from a page whose origin is neither this service's own nor allowed.

    A browser on this machine sends the POST of any page to a loopback address. Its `Origin` header names the page's
    origin (RFC 6454), and a page cannot leave it out. With DNS rebinding, the page has the origin of the service, but
    its host is not a loopback address.
    """
    header = _header(headers, b"origin")
    if not header:
        return None
    origin = header.decode("latin-1")
    if origin in allowed or ANY_ORIGIN in allowed or _is_same_origin(origin, headers):
        return None
    return CrossOriginRequest(origin, is_admin=is_admin)


def _is_same_origin(origin: str, headers: Headers) -> bool:
    try:
        page = urlsplit(origin)
    except ValueError:
        return False
    return page.netloc == _header(headers, b"host").decode("latin-1") and _is_loopback(page.hostname or "")


def _header(headers: Headers, name: bytes) -> bytes:
    for key, value in headers:
        if key == name:
            return value
    return b""


def _check_token(headers: Headers, expected: bytes, setting: str) -> Unauthenticated | None:
    sent = _header(headers, b"authorization")
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
