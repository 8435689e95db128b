"""A connection that admits or refuses POST requests by their heads, and passes small predictions to the fast path.

All other requests are left to the application. `fast_path.py` and `refusals.py` create the responses.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from app.errors import RequestTooSlow, ServiceError
from app.server.connection import Connection
from app.server.head_cache import HeadCache, ParsedHead
from app.server.refusals import RawResponse, Refusals
from app.web.admission_control import Admission, AdmissionControl
from app.web.path_normalization import normalize_path


class _TasklessCycle(RequestResponseCycle):
    """A request without a task, with the attributes that uvicorn uses."""

    message_event = asyncio.Event()  # shared: nothing waits for it

    def __init__(self) -> None:  # instead of the base class's
        self.body = bytearray()
        self.keep_alive = True
        self.disconnected = False
        self.response_complete = False
        self.cancel: Callable[[], object] | None = None
        """Cancels the prediction. None until the request is received completely."""


class FastPathConnection(Connection):
    """One connection.

    The lifespan state contains `admission_control`, `refusals`, `fast_path`, `head_cache` and `root_path`, or none of
    them. Only plain POST requests are handled here; for all other requests, the application's middleware controls the
    admission.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - uvicorn's signature
        super().__init__(*args, **kwargs)
        self._admission_control: AdmissionControl | Any = self.app_state.get("admission_control")
        self._refusals: Refusals | Any = self.app_state.get("refusals")
        self._fast_path = self.app_state.get("fast_path")
        self._head_cache: HeadCache | None = self.app_state.get("head_cache")
        self._root_path: str = self.app_state.get("root_path", "")
        self._received = b""  # the data given to the parser, if it starts with a request
        self._fast_cycle: _TasklessCycle | None = None  # a fast-path request that is being received or answered
        self._is_refusal_due = False  # whether a refusal will be written in the next iteration of the event loop

    def connection_lost(self, exc: Exception | None) -> None:
        """End the connection."""
        if self._fast_cycle is not None:
            self._cancel(self._fast_cycle)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Handle a whole request with a cached head, or parse the data."""
        if self._head_cache is not None and not self._in_request and not self._unparsed and self._may_parse():
            found = self._head_cache.find(data)
            if found is not None and self._submit_unparsed(*found):
                self._unset_keepalive_if_required()
                self._cancel_upload_timer()
                return
            self._received = data
        super().data_received(data)

    def _submit_unparsed(self, head: ParsedHead, body: bytes) -> bool:
        """Submit a request without parsing it. Return False if it has to be parsed, and nothing has changed."""
        self._make_scope()
        scope: dict[str, Any] = self.scope  # type: ignore[assignment]  # as below
        scope.update(method="POST", path=head.path, query_string=head.query, headers=head.headers)
        admission = self._admit(scope)
        if admission is None:
            return True
        cycle = _TasklessCycle()
        if self._fast_path is not None and admission.may_use_fast_path:
            cycle.cancel = self._fast_path.submit(scope, body, partial(self._respond, cycle))
        if cycle.cancel is None:
            admission.release()
            return False
        self.cycle = self._fast_cycle = cycle
        return True

    def _admit(self, scope: dict[str, Any]) -> Admission | None:
        """Admit a request, or schedule its refusal and return None."""
        admission = self._admission_control.admit(scope)
        if isinstance(admission, ServiceError):
            self._schedule_refusal(self._refusals.create_response(scope, admission))
            return None
        scope["state"]["admission"] = admission
        return admission

    def _begin_request(self) -> None:
        """Admit, refuse or pass on one request, whose body is not received yet."""
        received, self._received = self._received, b""  # the next request may be in the same data
        if self._admission_control is None or not self._is_plain_post():
            super()._begin_request()
            return
        path, _, query = self.url.partition(b"?")
        scope: dict[str, Any] = self.scope  # type: ignore[assignment]  # not complete yet
        scope["method"] = "POST"
        scope["path"] = normalize_path(path.decode("ascii"), self._root_path)
        scope["query_string"] = query
        if self._head_cache is not None:
            self._head_cache.add(received, path=scope["path"], query=query, headers=self.headers)
        admission = self._admit(scope)
        if admission is None:
            return
        if self._fast_path is not None and admission.may_use_fast_path:
            self.cycle = self._fast_cycle = _TasklessCycle()
        else:
            super()._begin_request()

    def _schedule_refusal(self, response: RawResponse) -> None:
        """Refuse a request in the next iteration of the event loop.

        If refusals were written immediately, the next requests of clients that retry without a pause would be received
        in the same iteration, and would delay the admitted requests for seconds.
        """
        self.cycle = cycle = _TasklessCycle()
        cycle.response_complete = True  # makes uvicorn skip the body
        self._is_refusal_due = True
        self.loop.call_soon(self._write_refusal, cycle, response)

    def _complete_request(self) -> None:
        """Submit the complete request to the fast path."""
        admission: Admission | None = self.scope["state"].get("admission")
        if admission is not None:
            admission.mark_received()
        cycle = self._fast_cycle
        if self._fast_path is None or cycle is None or self.cycle is not cycle:
            super()._complete_request()
            return
        cycle.cancel = self._fast_path.submit(self.scope, bytes(cycle.body), partial(self._respond, cycle))
        if cycle.cancel is None:
            self._pass_to_application(cycle)
            super()._complete_request()

    def _pass_to_application(self, cycle: _TasklessCycle) -> None:
        """Start a task for a request that the fast path has not accepted."""
        self._fast_cycle = None
        self.cycle = None  # type: ignore[assignment]  # as before the first request
        super()._begin_request()
        self.cycle.keep_alive &= cycle.keep_alive
        super().on_body(bytes(cycle.body))

    def _on_upload_timeout(self) -> None:
        cycle = self._fast_cycle
        if cycle is None or cycle.cancel is not None or self._upload_seconds is None:
            super()._on_upload_timeout()
        else:
            self._reject(RequestTooSlow(self._upload_seconds))

    def _drop_request(self, error: Exception) -> RawResponse | None:
        cycle = self._fast_cycle
        if cycle is None or cycle is not self.cycle:
            return super()._drop_request(error)
        self._fast_cycle = None
        cycle.response_complete = True
        self.scope["state"]["admission"].release()
        response: RawResponse = self._refusals.create_response(dict(self.scope), error)
        return response

    def _may_parse(self) -> bool:
        return not self._is_refusal_due and super()._may_parse()

    def _has_unanswered_requests(self) -> bool:
        return self._fast_cycle is not None or super()._has_unanswered_requests()

    def _cancel(self, cycle: _TasklessCycle) -> None:
        """Cancel a request whose client has disconnected."""
        cycle.disconnected = True
        cancel, cycle.cancel = cycle.cancel, None
        if cancel is None:  # it is incomplete: the application reports it
            self._pass_to_application(cycle)
        else:
            cancel()

    def _respond(self, cycle: _TasklessCycle, response: Response) -> None:
        """Write the response to a fast-path request."""
        if cycle.disconnected:
            return
        self._fast_cycle = cycle.cancel = None  # breaks the reference cycle
        cycle.response_complete = True
        self._write_response(response, keep_alive=cycle.keep_alive)
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def _write_refusal(self, cycle: _TasklessCycle, response: RawResponse) -> None:
        """Write the response to a refused request."""
        self._is_refusal_due = False
        self._write_response(response, keep_alive=True)
        if self.cycle is cycle:
            self.on_response_complete()
        elif self.parser is not None:  # another request follows, and the connection is still open
            self._parse()

    def _is_plain_post(self) -> bool:
        """Return whether this is a POST to a plain path, on a persistent connection with no request in progress."""
        parser = self.parser
        return (
            parser.get_method() == b"POST"
            and self.url.startswith(b"/")
            and self.url.isascii()
            and b"%" not in self.url
            and b"#" not in self.url
            and self._is_last_request_answered()
            and not self.expect_100_continue
            and parser.get_http_version() == "1.1"
            and bool(parser.should_keep_alive())
        )
