"""Asks for a token where the settings say so, and refuses pages of other sites. Knows no request's purpose. Pure ASGI.

All that changes nothing is open to everyone. Loading and unloading take the administrator's token, and whatever else is
sent to be worked on takes the one for predictions: a route that is added is guarded without anyone thinking of it.
Where no token is asked for, a service on a loopback address takes what programs of this machine send, and its own page.
"""

import hmac
import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from pydantic import SecretStr
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import CrossOriginRequest, Forbidden, ServiceError, Unauthenticated
from app.settings import ANY_ORIGIN, Settings
from app.web import problems

_OPEN_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_ADMIN_PREFIX = "/v2/repository/models/"


class AccessPolicy:
    """Knows which requests need which."""

    def __init__(self, settings: Settings) -> None:
        self._host = settings.host
        self._predict_token = _encode(settings.predict_token)
        self._admin_token = _encode(settings.admin_token)
        self._local = _is_loopback(settings.host)
        self._allowed_origins = settings.allowed_origins

    def refusal(self, scope: Scope) -> ServiceError | None:
        """Say why a request is not let through, if so."""
        if scope["method"] in _OPEN_METHODS:
            return None
        if not scope["path"].lower().startswith(_ADMIN_PREFIX):
            if self._predict_token is not None:
                return _check_token(scope, self._predict_token, "PREDICT_TOKEN")
            return _check_origin(scope, self._allowed_origins) if self._local else None
        if self._admin_token is not None:
            return _check_token(scope, self._admin_token, "ADMIN_TOKEN")
        return _check_origin(scope, is_admin=True) if self._local else Forbidden(self._host)

    def needs_cors_headers(self, scope: Scope) -> bool:
        """Tell whether the answer needs headers without which a browser keeps it from the page that asked."""
        return bool(self._allowed_origins) and bool(_header(scope, b"origin"))


class AuthMiddleware:
    """Lets a request through if it bears the token that it needs."""

    def __init__(self, app: ASGIApp, *, policy: AccessPolicy) -> None:
        self._app = app
        self._policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it before its body is read."""
        if scope["type"] == "http" and (refusal := self._policy.refusal(scope)):
            await problems.refuse(refusal, scope, receive, send)
            return
        await self._app(scope, receive, send)


def _check_origin(
    scope: Scope, allowed: Collection[str] = frozenset(), *, is_admin: bool = False
) -> CrossOriginRequest | None:
    """Refuse what a browser on this machine sends for a page that is neither this service's own nor allowed.

    A browser sends any page's POST to a loopback address, and says in `Origin` whose it is (RFC 6454); no page can
    leave that out. A foreign name that was made to lead here has the same origin, but is not a name of this machine.
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
    # In the same time whatever is sent, so that a token cannot be guessed letter by letter.
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
