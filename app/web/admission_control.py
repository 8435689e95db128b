"""Admits POST requests, or refuses them with 503, by their heads alone. The body of a refused request is not read.

A `FastPathConnection` calls `admit` before a task exists for the request. For all other requests, the middleware calls
it.
"""

from collections.abc import Callable, Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import ServiceError
from app.web import problems
from app.web.concurrency_limit import ConcurrencyLimit
from imaging import may_be_cheap_to_decode

_SINGLE_PICTURE_PATHS = frozenset({"/predict", "/explain"})
"""Paths whose body is one picture: the length of the body is the size of the picture."""

LargePictureRefusal = Callable[[int], ServiceError | None]
"""Takes the number of large pictures that are received and not answered. Returns an error if one more is refused."""


class Admission:
    """One admitted request."""

    __slots__ = ("_control", "_counts_as_large", "_is_released", "is_large", "is_small_picture")

    def __init__(self, control: "AdmissionControl", *, is_large: bool, is_small_picture: bool) -> None:
        self._control = control
        self._counts_as_large = self._is_released = False
        self.is_large = is_large
        """Whether the body is one picture that may be expensive to decode."""
        self.is_small_picture = is_small_picture
        """Whether it requests a prediction for one picture that, judging by the head, is cheap to decode."""

    def receive(self) -> None:
        """Report that the whole body has been received. From now on, a large picture counts as waiting."""
        if self.is_large and not self._is_released:
            self._counts_as_large = True
            self._control.large_pictures += 1

    def release(self) -> None:
        """Report that the request has ended. The second call does nothing."""
        if not self._is_released:
            self._is_released = True
            self._control.large_pictures -= self._counts_as_large
            self._control.limit.release()


class AdmissionControl:
    """Decides which POST requests are admitted, by the concurrency limit and the expected wait of large pictures."""

    def __init__(self, limit: ConcurrencyLimit, refuse_large: LargePictureRefusal) -> None:
        self.limit = limit
        self._refuse_large = refuse_large
        self.large_pictures = 0
        """The number of large pictures that are received completely and not answered."""

    def admit(self, scope: Scope) -> Admission | ServiceError:
        """Admit a POST, or return the error that refuses it. The caller has to release the admission."""
        length, media_type = _length_and_type(scope["headers"])
        is_large = scope["path"] in _SINGLE_PICTURE_PATHS and not may_be_cheap_to_decode(length, media_type)
        refusal = self.limit.refusal() or (self._refuse_large(self.large_pictures) if is_large else None)
        if refusal is not None:
            return refusal
        self.limit.acquire()
        is_small_picture = scope["path"] == "/predict" and length > 0 and not is_large
        return Admission(self, is_large=is_large, is_small_picture=is_small_picture)


class AdmissionMiddleware:
    """Answers POST requests that are not admitted with 503. Other methods need no admission. Pure ASGI.

    If the fast path has admitted a request, the request's state has its `Admission`, as `admission`.
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
                receive = _reporting_end_of_body(receive, admission)
        try:
            await self._app(scope, receive, send)
        finally:
            admission.release()


def _reporting_end_of_body(receive: Receive, admission: Admission) -> Receive:
    async def receive_and_report() -> Message:
        message = await receive()
        if message["type"] == "http.request" and not message.get("more_body", False):
            admission.receive()
        return message

    return receive_and_report


def _length_and_type(headers: Iterable[tuple[bytes, bytes]]) -> tuple[int, str]:
    """Return the body's Content-Length, 0 without one, and its Content-Type."""
    length, media_type = 0, ""
    for name, value in headers:
        if name == b"content-length" and value.isdigit():
            length = int(value)
        elif name == b"content-type":
            media_type = value.decode("latin-1")
    return length, media_type
