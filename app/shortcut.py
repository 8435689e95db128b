"""Takes predictions that do not go by `express.py` past the framework's routing. Knows no route by name. Pure ASGI.

The framework declares these routes too, and serves them with the same functions: this is only a shorter way there.
"""

from collections.abc import Sequence

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.middleware import Middleware
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from app import problems


class Shortcut:
    """Calls the endpoint of a route whose path has no parameters; whatever is no such request goes the usual way.

    Such an endpoint takes the request alone and gives the response itself. The framework's dependencies, exit stacks
    and path matching take as much processor time as all the rest of a request with a small picture.
    """

    def __init__(self, app: ASGIApp, *, routes: Sequence[BaseRoute], through: Sequence[Middleware] = ()) -> None:
        """Go before the framework.

        Args:
            app: the usual way.
            routes: those that are short.
            through: the layers that the short way leads through, the outermost first.

        """
        self._app = app
        self._routes: dict[tuple[str, str], APIRoute] = {
            (method, route.path): route
            for route in routes
            if isinstance(route, APIRoute) and not route.dependencies
            for method in route.methods or ()
        }
        self._short: ASGIApp = _call
        for layer, arguments, named in reversed(through):
            self._short = layer(self._short, *arguments, **named)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        route = self._routes.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if route is None:
            await self._app(scope, receive, send)
        else:
            scope["route"] = route
            await self._short(scope, receive, send)


async def _call(scope: Scope, receive: Receive, send: Send) -> None:
    request = Request(scope, receive)
    try:
        response = await scope["route"].endpoint(request)
    except problems.EXPECTED as error:
        response = await problems.handle(request, error)
    await response(scope, receive, send)
