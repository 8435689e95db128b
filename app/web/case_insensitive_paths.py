"""Ignores the case of the keywords in the paths of TensorFlow Serving, as TensorFlow Serving does. Pure ASGI."""

import re

from starlette.types import ASGIApp, Receive, Scope, Send

_KEYWORDS = re.compile(r"/(?:v1|models|versions|labels|metadata)(?=/|$)|:(?:predict|classify|regress)$", re.IGNORECASE)


class CaseInsensitivePathsMiddleware:
    """Converts the keywords in paths under `/v1` to lower case. Names of models keep their case."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["path"][:4].lower() == "/v1/":
            scope["path"] = _KEYWORDS.sub(lambda keyword: keyword[0].lower(), scope["path"])
        await self._app(scope, receive, send)
