"""Answers HEAD like GET on all routes (RFC 9110, section 9.3.2). Pure ASGI."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadAsGet:
    """Passes HEAD requests to the application as GET. Outer middleware and the server still see HEAD.

    The server sends no body in response to HEAD. If the routes had HEAD as a method of their own, OpenAPI would list
    each of them twice.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        get_scope = {**scope, "method": "GET"}

        def copy_route() -> None:
            """Copy the matched route to the scope that outer middleware sees."""
            if "route" in get_scope:
                scope["route"] = get_scope["route"]

        async def send_with_route(message: Message) -> None:
            copy_route()
            await send(message)

        try:
            await self._app(get_scope, receive, send_with_route)
        finally:  # if the application raised before it sent anything
            copy_route()
