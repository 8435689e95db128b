"""Admits requests or refuses them with 503, by their heads alone: the body of a refused request is never read.

The fast path calls `admit` before it makes a task for a request. Everywhere else the middleware calls it.
"""

from collections.abc import Callable, Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import ServiceError
from app.web import problems
from app.web.concurrency_limit import ConcurrencyLimit
from imaging import may_be_cheap_to_decode

_ONE_PICTURE = frozenset({"/predict", "/explain"})
"""Paths whose body is one picture, so that the length of the body is the size of the picture."""

LargePictureRefusal = Callable[[int], ServiceError | None]
"""Takes how many large pictures have been received and not answered; returns the error for one more, if any."""


class Admission:
    """One admitted request."""

    __slots__ = ("_control", "_counts_as_large", "_is_released", "is_large", "is_small_picture")

    def __init__(self, control: "AdmissionControl", *, is_large: bool, is_small_picture: bool) -> None:
        self._control = control
        self._counts_as_large = self._is_released = False
        self.is_large = is_large
        """Whether its body is one picture that may take long to decode."""
        self.is_small_picture = is_small_picture
        """Whether it asks for a prediction of one picture that is cheap to decode, as far as the head tells."""

    def receive(self) -> None:
        """Note that the whole body has been received: from now on a large picture waits for others."""
        if self.is_large and not self._is_released:
            self._counts_as_large = True
            self._control.large_pictures += 1

    def release(self) -> None:
        """Note that the request has been answered, or will not be. Does nothing the second time."""
        if not self._is_released:
            self._is_released = True
            self._control.large_pictures -= self._counts_as_large
            self._control.limit.release()


class AdmissionControl:
    """Decides which POST requests are admitted: up to the concurrency limit, and large pictures by their wait."""

    def __init__(self, limit: ConcurrencyLimit, refuse_large: LargePictureRefusal) -> None:
        self.limit = limit
        self._refuse_large = refuse_large
        self.large_pictures = 0
        """How many have been received whole and are not answered."""

    def admit(self, scope: Scope) -> Admission | ServiceError:
        """Admit a POST, or return the error that refuses it. Whoever admits a request has to release it."""
        length, media_type = _announced(scope["headers"])
        is_large = scope["path"] in _ONE_PICTURE and not may_be_cheap_to_decode(length, media_type)
        refusal = self.limit.refusal() or (self._refuse_large(self.large_pictures) if is_large else None)
        if refusal is not None:
            return refusal
        self.limit.acquire()
        is_small_picture = scope["path"] == "/predict" and length > 0 and not is_large
        return Admission(self, is_large=is_large, is_small_picture=is_small_picture)


class AdmissionMiddleware:
    """Serves admitted POST requests and all other requests; answers the others with 503. Pure ASGI.

    A request that the fast path has admitted has its `Admission` in its state, as `admission`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it before its body is read."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        admission = scope["state"].get("admission")
        if admission is None:
            control: AdmissionControl = scope["app"].state.admission_control
            admission = control.admit(scope)
            if isinstance(admission, ServiceError):
                await problems.refuse(admission, scope, receive, send)
                return
            if admission.is_large:
                receive = _noting_end_of_body(receive, admission)
        try:
            await self._app(scope, receive, send)
        finally:
            admission.release()


def _noting_end_of_body(receive: Receive, admission: Admission) -> Receive:
    async def receive_and_note() -> Message:
        message = await receive()
        if message["type"] == "http.request" and not message.get("more_body", False):
            admission.receive()
        return message

    return receive_and_note


def _announced(headers: Iterable[tuple[bytes, bytes]]) -> tuple[int, str]:
    """Return the length of the body, 0 if the head does not say it, and its media type."""
    length, media_type = 0, ""
    for name, value in headers:
        if name == b"content-length" and value.isdigit():
            length = int(value)
        elif name == b"content-type":
            media_type = value.decode("latin-1")
    return length, media_type
