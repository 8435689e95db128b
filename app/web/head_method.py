"""Has HEAD answered as GET is, on whatever route (RFC 9110, section 9.3.2). Knows none of them. Pure ASGI."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadAsGet:
    """Hands a HEAD on as a GET. The layers round it still see what was sent, and so does the server: it sends no body.

    Routes with a method HEAD of their own would stand in the interface's description twice.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        handed_on = {**scope, "method": "GET"}

        def note_route() -> None:
            """Leave for the layers what the framework has found."""
            if "route" in handed_on:
                scope["route"] = handed_on["route"]

        async def send_noted(message: Message) -> None:
            note_route()
            await send(message)

        try:
            await self._app(handed_on, receive, send_noted)
        finally:  # if it failed before it sent anything
            note_route()
