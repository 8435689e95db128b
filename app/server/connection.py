"""HTTP/1.1 connections: uvicorn's protocol, with limits on size and time. Knows no model.

A connection holds a limited number of bytes: it parses one request at a time, and stops reading from the socket until
the request is answered. A request has to be received within a time limit, and the client has to read the response
within the same limit. An upgrade to another protocol is declined. A malformed request gets an error response, after the
responses to all earlier requests.
"""

import asyncio
import select
import socket
import sys
import time
from contextlib import suppress
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from app.errors import HeadTooLarge, MalformedRequest, Overloaded, RequestTooSlow, UrlTooLong
from app.server.byte_budget import ByteBudget
from app.server.flow_control import PausableFlowControl
from app.server.refusals import RawResponse
from app.web import problems
from app.web.request_ids import request_id_of, response_headers

MAX_HEAD_BYTES = 64 * 1024
"""The limit of a request's head. One call of the parser may exceed it."""
MAX_HEADERS = 256
MAX_URL_BYTES = 8192
"""FastAPI takes 9 ms to parse a query of this length whose parameters have one letter each."""
_FRAMING_RATIO = 8
"""The allowed bytes of framing for each byte of a chunked body. A chunk of one byte has five."""
_LINGER_SECONDS = 2.0
_MAX_LINGER_BYTES = 1024 * 1024
"""How long, and how many bytes, a client may send after the final response."""
_MAX_FEED_BYTES = 4096
"""The bytes of one call of the parser. It cannot be stopped within a call: this limits the requests that it finds."""
_MAX_PARSE_SECONDS = 0.002
"""How long one connection is parsed in one iteration of the event loop. If the chunks of a body have a few bytes each,
one call of the parser takes half a millisecond."""


class _ResponseTransport:
    """The transport to which the application's responses are written.

    It closes the connection only after the request has been received: if the socket were closed while the client is
    sending, the client would get a reset instead of the response (RFC 9112, section 9.6).
    """

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        transport = connection.transport
        self.write, self.is_closing = transport.write, transport.is_closing

    def close(self) -> None:
        """Close the connection as soon as the request is received."""
        self._connection.close_after_request()


class Connection(HttpToolsProtocol):
    """One connection.

    Two optional values of the lifespan state configure it: `upload_seconds`, the time limit for receiving a request and
    for the client's reading of its response; and `byte_budget`, the limit on the bytes that all connections hold.
    """

    flow: PausableFlowControl

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - uvicorn's signature
        super().__init__(*args, **kwargs)
        self._upload_seconds: float | None = self.app_state.get("upload_seconds")
        self._budget: ByteBudget | None = self.app_state.get("byte_budget")
        self._upload_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._unparsed = bytearray()  # received bytes that are not parsed
        self._is_in_budget = False  # whether the budget counts bytes of this connection
        self._is_resumption_scheduled = False  # whether `_resume` will be called
        self._in_request = False  # whether the parser is inside a request
        self._in_head = False  # whether the parser is inside the head of a request
        self._requests_started = 0  # by the parser
        self._body_bytes = 0  # of the request that is being parsed
        self._overhead_bytes = 0  # its other bytes, without those of the first call of the parser
        self._running_cycle: RequestResponseCycle | None = None  # the last request that was given to a task
        self._is_closing = False  # whether nothing more is parsed, because the connection will be closed
        self._final_response: RawResponse | None = None  # sent before the connection is closed
        self._is_lingering = False  # whether the final response was sent, and received bytes are discarded
        self._discarded_bytes = 0  # while closing
        self._closes_after_request = False  # whether the connection is closed when the request is received
        self._is_late = False  # whether the request was not received in time

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's signature
        """Start the connection."""
        super().connection_made(transport)
        self.flow = PausableFlowControl(transport)
        self._response_transport: Any = _ResponseTransport(self)
        self._start_upload_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the connection."""
        self._cancel_upload_timer()
        self._cancel_write_timer()
        self._unset_keepalive_if_required()  # uvicorn does not do this after a reset
        if self._budget is not None:
            self._budget.release(self)
        if self._running_cycle is not None:  # uvicorn does not do this if another request waits in the pipeline
            self._running_cycle.disconnected = True
        super().connection_lost(exc)

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that has been idle for too long, unless the socket has unread data.

        The event loop runs timers before it reads, and closes the socket at the end of the iteration. Under load an
        iteration takes a tenth of a second. A request that is sent in that time would get a connection reset. So the
        write side is shut down immediately: clients check for this before they reuse a connection.
        """
        descriptor = self.transport.get_extra_info("socket").fileno()
        if _is_readable(descriptor):
            return
        with suppress(OSError):
            connection = socket.socket(fileno=descriptor)  # not a duplicate: there may be no free descriptor
            try:
                connection.shutdown(socket.SHUT_WR)
            finally:
                connection.detach()
        self._close()

    def pause_writing(self) -> None:
        """Start the time limit for the client's reading of the response."""
        super().pause_writing()
        self._start_write_timer()

    def resume_writing(self) -> None:
        """Continue with the data received meanwhile."""
        super().resume_writing()
        self._cancel_write_timer()
        self._parse()

    def data_received(self, data: bytes) -> None:
        """Parse received data, or buffer it until the requests before it are answered."""
        if self._is_closing:
            self._discarded_bytes += len(data)
            if self._discarded_bytes > _MAX_LINGER_BYTES:
                self._close()
            return
        self._unset_keepalive_if_required()
        if not self._unparsed and len(data) <= _MAX_FEED_BYTES and self._may_parse():
            self._feed(data)
        else:
            self._unparsed += data
        self._parse(received=len(data))

    def on_response_complete(self) -> None:
        """Continue with the next request."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._start_drain_timer()
        elif self._is_closing:
            self._send_final_response()
        elif self._unparsed:
            self._unset_keepalive_if_required()
        if self._unparsed or self._is_in_budget:
            self._parse()

    def drop(self) -> None:
        """Drop the request that is being received, because the worker holds too many bytes."""
        max_bytes = 0 if self._budget is None else self._budget.max_bytes
        self._reject(
            Overloaded(
                f"The service is busy: it holds {max_bytes:,} bytes of incomplete requests, which is the limit, and "
                "this request has waited longest for its next bytes. The connection is closed. Try again in a second."
            )
        )

    def close_after_request(self) -> None:
        """Close the connection when the request that was answered has been received, or after its time limit.

        The rest of the request is discarded.
        """
        if not self._in_request or self._in_head or self._running_cycle is not self.cycle:
            self.transport.close()
            return
        self._closes_after_request = True
        self.transport.write_eof()
        if self._is_late or self._upload_timer is None:
            self._cancel_upload_timer()
            self._upload_timer = self.loop.call_later(_LINGER_SECONDS, self._close)

    def _parse(self, *, received: int = 0) -> None:
        """Parse buffered data until a request is complete. `received` is the number of bytes received by this call."""
        end = time.perf_counter() + _MAX_PARSE_SECONDS if self._unparsed else 0.0
        while self._unparsed and self._may_parse():
            if time.perf_counter() > end:
                self._schedule_resumption()
                break
            data = bytes(self._unparsed[:_MAX_FEED_BYTES])
            del self._unparsed[:_MAX_FEED_BYTES]
            self._feed(data)
        if self._unparsed or (self._is_closing and not self._is_lingering):
            self.flow.hold()
        else:
            self.flow.release()
        if self._budget is not None:
            self._update_budget(self._budget, received)
        if self._in_request and self._upload_timer is None and not self._is_closing:
            self._start_upload_timer()

    def _schedule_resumption(self) -> None:
        if not self._is_resumption_scheduled:
            self._is_resumption_scheduled = True
            self.loop.call_soon(self._resume)

    def _resume(self) -> None:
        self._is_resumption_scheduled = False
        if self.parser is not None:  # the connection is still open
            self._parse()

    def _may_parse(self) -> bool:
        is_in_body = self._in_request and not self._in_head and not self.pipeline
        return (
            (is_in_body or self._is_last_request_answered())
            and not self._is_closing
            and not self.flow.write_paused
            and not self.transport.is_closing()
        )

    def _update_budget(self, budget: ByteBudget, received: int) -> None:
        is_answered = self._is_last_request_answered()
        self._is_in_budget = True
        if self._unparsed or self._in_head or (self._in_request and not is_answered):
            budget.add(self, received)
        elif is_answered:
            budget.release(self)
            self._is_in_budget = False
        else:
            budget.complete(self)

    def _feed(self, data: bytes) -> None:
        """Parse at most `_MAX_FEED_BYTES` bytes."""
        requests_started, body_bytes = self._requests_started, self._body_bytes
        rest = data
        while rest:
            rest = self._feed_parser(rest)
        if self._in_request and self._requests_started == requests_started:  # all the data belongs to one request
            self._overhead_bytes += len(data) - (self._body_bytes - body_bytes)
            if self._overhead_bytes > MAX_HEAD_BYTES + _FRAMING_RATIO * self._body_bytes:
                self._reject(HeadTooLarge(MAX_HEAD_BYTES, MAX_HEADERS))

    def _feed_parser(self, data: bytes) -> bytes:
        """Give data to the parser, and return the data that it has to be given next."""
        try:
            self.parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            return self._decline_upgrade(data[upgrade.args[0] :])
        except HttpParserError as error:
            message = f"The data is not a valid HTTP/1.1 request: {error}. The connection is closed."
            self._reject(MalformedRequest(message))
        return b""

    def _decline_upgrade(self, rest: bytes) -> bytes:
        """Continue in HTTP/1.1 with a request that has an Upgrade header (RFC 9110, section 7.8, lets a server do so).

        The parser assumes that the data after the head, `rest`, belongs to the other protocol. So a new parser gets
        the head again, without the Upgrade header.
        """
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._reject(
                MalformedRequest("CONNECT is for proxies, and this service is not a proxy. The connection is closed.")
            )
            return b""
        headers = b"".join(b"%s: %s\r\n" % header for header in self.headers if header[0] != b"upgrade")
        version = self.parser.get_http_version().encode()
        self.parser = HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
        return b"%s %s HTTP/%s\r\n%s\r\n%s" % (method, self.url, version, headers, rest)

    def on_message_begin(self) -> None:
        """Start to parse a request."""
        self._in_request = self._in_head = True
        self._requests_started += 1
        self._body_bytes = self._overhead_bytes = 0
        self._is_late = False
        self._make_scope()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Store a header. Trailers of a chunked body and cookies are ignored: the application does not use them.

        FastAPI would parse cookies anyway, and older versions of Python take seconds to parse 60 kB of quotes in them
        (CVE-2024-7592).
        """
        if self._in_head and len(self.headers) <= MAX_HEADERS and name.lower() != b"cookie":
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Start one request, whose body is not received yet."""
        if len(self.headers) > MAX_HEADERS:
            self._reject(HeadTooLarge(MAX_HEAD_BYTES, MAX_HEADERS))
        elif len(self.url) > MAX_URL_BYTES:
            line_bytes = len(self.parser.get_method()) + len(self.url) + len(" HTTP/1.1 ")
            is_head_too_large = line_bytes > MAX_HEAD_BYTES
            self._reject(
                HeadTooLarge(MAX_HEAD_BYTES, MAX_HEADERS)
                if is_head_too_large
                else UrlTooLong(len(self.url), MAX_URL_BYTES)
            )
        if self._is_closing or self.parser.should_upgrade():
            return
        self._in_head = False
        self._begin_request()

    def on_body(self, body: bytes) -> None:
        """Store a part of the body."""
        self._body_bytes += len(body)
        if not self._is_closing:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Complete a request."""
        if self._is_closing or self.parser.should_upgrade():
            return
        self._in_request = False
        self._cancel_upload_timer()
        if self._closes_after_request:
            self._close()
            return
        self._complete_request()
        # If the request was answered before its last bytes, these bytes have unset the keep-alive timer.
        if self._is_last_request_answered() and self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _make_scope(self) -> None:
        super().on_message_begin()

    def _begin_request(self) -> None:
        super().on_headers_complete()
        self.cycle.transport = self._response_transport

    def _complete_request(self) -> None:
        super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:  # noqa: ANN401 - uvicorn's signature
        self._running_cycle = cycle
        super()._start_asgi_task(cycle, app)

    def _start_upload_timer(self) -> None:
        if self._upload_seconds is not None:
            self._upload_timer = self.loop.call_later(self._upload_seconds, self._on_upload_timeout)

    def _cancel_upload_timer(self) -> None:
        if self._upload_timer is not None:
            self._upload_timer.cancel()
            self._upload_timer = None

    def _on_upload_timeout(self) -> None:
        """Close a connection that has not received a whole request in time."""
        self._upload_timer = None
        if not self._is_last_request_answered():
            self._is_late = True
            self._start_upload_timer()  # `read_body` has the same time limit, and raises
        elif self._in_head and self._upload_seconds is not None:
            self._reject(RequestTooSlow(self._upload_seconds))
        else:
            self.transport.close()

    def _start_drain_timer(self) -> None:
        """Limit the time in which the client of a closing connection reads the response."""
        if self.transport.get_write_buffer_size():
            self._start_write_timer()

    def _start_write_timer(self) -> None:
        if self._upload_seconds is not None and self._write_timer is None:
            self._write_timer = self.loop.call_later(self._upload_seconds, self.transport.abort)

    def _cancel_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _reject(self, error: Exception) -> None:
        """Stop parsing, answer the current request with a problem after all requests before it, and close."""
        if self._is_closing:
            return
        self._is_closing = True
        self._unparsed.clear()
        self._cancel_upload_timer()
        self._final_response = (
            self._drop_request(error) if self._in_request and not self._in_head else self._problem_response(error)
        )
        # In the next iteration, because a refusal in this iteration is also written in the next.
        self.loop.call_soon(self._send_final_response)

    def _drop_request(self, error: Exception) -> RawResponse | None:
        """Cancel a request that is being received. Return its response, or None if a response has started."""
        cycle = self.cycle
        if cycle.response_complete:
            return None
        if self.pipeline and self.pipeline[0][0] is cycle:  # it waits in the pipeline
            self.pipeline.popleft()
        else:
            cycle.disconnected = True
            cycle.message_event.set()
        return None if cycle.response_started else self._problem_response(error)

    def _problem_response(self, error: Exception) -> RawResponse:
        request_id = request_id_of({"headers": []})
        problem_type = problems.problem_type_of(error)
        self.logger.warning("%s: %s (request id %s)", problem_type.name, error, request_id)
        response = problems.problem_response(
            problems.create_problem(problem_type, str(error), instance="", request_id=request_id)
        )
        headers = [*response.raw_headers, *response_headers(request_id, 0)]
        return RawResponse(response.status_code, headers, bytes(response.body))

    def _send_final_response(self) -> None:
        """Send the final response and start to close, once all earlier requests are answered.

        If the socket were closed while the client is sending, the client would get a reset instead of the response. So
        the connection discards received data for a while (RFC 9112, section 9.6).
        """
        if self._is_lingering or self._has_unanswered_requests() or self.transport.is_closing():
            return
        self._is_lingering = True
        if self._final_response is not None:
            self._write_response(self._final_response, keep_alive=False)
        self.transport.write_eof()
        self._unset_keepalive_if_required()
        self._upload_timer = self.loop.call_later(_LINGER_SECONDS, self._close)
        self.flow.release()

    def _close(self) -> None:
        self.transport.close()
        self._start_drain_timer()

    def _has_unanswered_requests(self) -> bool:
        """Return whether a task is answering a request, or requests wait for it."""
        cycle = self._running_cycle
        return bool(self.pipeline) or not (cycle is None or cycle.response_complete or cycle.disconnected)

    def _write_response(self, response: Response | RawResponse, *, keep_alive: bool) -> None:
        headers = (*self.server_state.default_headers, *response.raw_headers)
        lines = b"".join([b"%s: %s\r\n" % header for header in headers])
        if not keep_alive and b"connection: close" not in lines:
            lines += b"connection: close\r\n"
        self.transport.write(b"%s%s\r\n%s" % (STATUS_LINE[response.status_code], lines, response.body))

    def _is_last_request_answered(self) -> bool:
        """Return whether the last request that was received, if any, has its response."""
        return self.cycle is None or self.cycle.response_complete


def _is_readable(descriptor: int) -> bool:
    """Return whether a socket has unread data. Opens no descriptor, unlike `selectors`."""
    if sys.platform == "win32":
        return bool(select.select([descriptor], [], [], 0)[0])
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))
