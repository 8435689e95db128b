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

_SINGLE_PICTURE_PATHS = frozenset({"/predict", "/read", "/explain"})
"""Paths whose body is one picture: the length of the body is the size of the picture."""

ExpensivePictureCheck = Callable[[int], ServiceError | None]
"""Takes the number of expensive pictures that are received and not answered. Returns an error to refuse one more."""


class Admission:
    """One admitted request."""

    __slots__ = ("_control", "_counts_as_expensive", "_is_released", "may_be_expensive", "may_use_fast_path")

    def __init__(self, control: "AdmissionControl", *, may_be_expensive: bool, may_use_fast_path: bool) -> None:
        self._control = control
        self._counts_as_expensive = self._is_released = False
        self.may_be_expensive = may_be_expensive
        """Whether the body is one picture that may be expensive to decode."""
        self.may_use_fast_path = may_use_fast_path
        """Whether it requests a prediction for one picture that, by its head, may be cheap to decode."""

    def mark_received(self) -> None:
        """Report that the whole body has been received. From now on, an expensive picture counts as waiting."""
        if self.may_be_expensive and not self._is_released:
            self._counts_as_expensive = True
            self._control.expensive_pictures += 1

    def release(self) -> None:
        """Report that the request has ended. The second call does nothing."""
        if not self._is_released:
            self._is_released = True
            self._control.expensive_pictures -= self._counts_as_expensive
            self._control.limit.release()


class AdmissionControl:
    """Decides which POST requests are admitted, by the concurrency limit and the wait of expensive pictures."""

    def __init__(self, limit: ConcurrencyLimit, check_expensive: ExpensivePictureCheck) -> None:
        self.limit = limit
        self._check_expensive = check_expensive
        self.expensive_pictures = 0
        """The number of expensive pictures that are received completely and not answered."""

    def admit(self, scope: Scope) -> Admission | ServiceError:
        """Admit a POST, or return the error that refuses it. The caller has to release the admission."""
        length, media_type = _length_and_type(scope["headers"])
        may_be_expensive = scope["path"] in _SINGLE_PICTURE_PATHS and not may_be_cheap_to_decode(length, media_type)
        error = self.limit.overload_error() or (
            self._check_expensive(self.expensive_pictures) if may_be_expensive else None
        )
        if error is not None:
            return error
        self.limit.acquire()
        may_use_fast_path = scope["path"] == "/predict" and length > 0 and not may_be_expensive
        return Admission(self, may_be_expensive=may_be_expensive, may_use_fast_path=may_use_fast_path)


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
            if admission.may_be_expensive:
                receive = _reporting_end_of_body(receive, admission)
        try:
            await self._app(scope, receive, send)
        finally:
            admission.release()


def _reporting_end_of_body(receive: Receive, admission: Admission) -> Receive:
    async def receive_and_report() -> Message:
        message = await receive()
        if message["type"] == "http.request" and not message.get("more_body", False):
            admission.mark_received()
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
