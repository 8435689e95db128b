"""Removes the prefix of a proxy and a slash at the end from the paths of requests. Pure ASGI; knows no route.

All addresses in pages and redirects of the service are relative. So they are valid behind a proxy that removes its
prefix, and behind one that keeps it.
"""

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

_WITH_SLASH = ("/v1/", "/docs/")
"""The beginnings of paths whose last slash has a meaning: TensorFlow Serving does not know them, and the addresses in
the documentation are relative to `/docs`."""


def normalize_path(path: str, root_path: str) -> str:
    """Return `path` without `root_path` at its beginning and without slashes at its end."""
    if root_path and path.startswith(root_path) and path[len(root_path) : len(root_path) + 1] in {"", "/"}:
        path = path[len(root_path) :]
    if path.endswith("/") and not path.startswith(_WITH_SLASH):
        path = path.rstrip("/")
    return path or "/"


class PathNormalizationMiddleware:
    """Normalises the path of each request. The root path itself is redirected to the page, which ends with a slash."""

    def __init__(self, app: ASGIApp, *, root_path: str) -> None:
        self._app = app
        self._root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            if self._root_path and scope["path"] == self._root_path and scope["method"] in {"GET", "HEAD"}:
                location = self._root_path.rpartition("/")[2] + "/"
                await Response(status_code=307, headers={"Location": location})(scope, receive, send)
                return
            scope["path"] = normalize_path(scope["path"], self._root_path)
        await self._app(scope, receive, send)
