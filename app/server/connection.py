"""HTTP/1.1 as it comes in, within bounds: uvicorn's protocol, and what that leaves out. Knows no model.

A connection holds a bounded number of bytes: it parses one request at a time, and reads no more until that is
answered. A request has to come in within a time, and its answer has to be taken within the same time. An offer of
another protocol is declined. What cannot be parsed is answered with a problem, after all requests before it.
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

from app.errors import HeadTooLarge, MalformedRequest, Overloaded, TooSlow, UrlTooLong
from app.server.byte_budget import ByteBudget
from app.server.flow_control import PausableFlowControl
from app.server.refusals import RawResponse
from app.web import problems
from app.web.request_ids import request_id_of, response_headers

MAX_HEAD_BYTES = 64 * 1024
"""In bytes, give or take a piece."""
MAX_HEADERS = 256
MAX_URL_BYTES = 8192
"""In bytes. The framework takes 9 ms for as long a query of parameters that have a letter each."""
_MAX_FRAMING_RATIO = 8
"""A chunked body may have this many bytes of chunk sizes for each byte of content: chunks of one byte have five."""
_LINGER_SECONDS = 2.0
_MAX_LINGER_BYTES = 1024 * 1024
"""How long, and for how many bytes, a client may go on sending after the last answer."""
_MAX_FEED_BYTES = 4096
"""In bytes. The parser cannot be stopped within a piece: this bounds the requests that it finds at once."""
_MAX_PARSE_SECONDS = 0.002
"""How long one connection is parsed in one turn of the event loop. Where each chunk of a body has a few bytes, a piece
takes half a millisecond."""


class Connection(HttpToolsProtocol):
    """One connection.

    The lifespan may leave in its state how long a request may take to come in, and its answer to be taken, as
    `upload_seconds`; and the bytes that all connections together may hold, as `byte_budget`.
    """

    flow: PausableFlowControl

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - they are uvicorn's
        super().__init__(*arguments, **named)
        self._upload_seconds: float | None = self.app_state.get("upload_seconds")
        self._budget: ByteBudget | None = self.app_state.get("byte_budget")
        self._upload_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._unparsed = bytearray()  # what has come in and is not parsed
        self._is_in_budget = False  # whether the budget has bytes of this connection
        self._is_resumption_scheduled = False  # whether more of it will be parsed in the next turn of the loop
        self._in_request = False  # whether the parser is amid a request...
        self._in_head = False  # ...and in its head
        self._requests_started = 0  # how many requests the parser has met
        self._body_bytes = 0  # of the request that it is amid...
        self._overhead_bytes = 0  # ...and all else of it, after its first piece
        self._running_cycle: RequestResponseCycle | None = None  # the request that a task serves or has served last
        self._is_closing = False  # whether nothing more is parsed...
        self._final_response: RawResponse | None = None  # ...what is sent before the connection is closed...
        self._is_lingering = False  # ...whether that has been...
        self._discarded_bytes = 0  # ...and the bytes that have come since

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin a connection."""
        super().connection_made(transport)
        self.flow = PausableFlowControl(transport)
        self._start_upload_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """End a connection."""
        self._cancel_upload_timer()
        self._cancel_write_timer()
        self._unset_keepalive_if_required()  # which uvicorn leaves out after a reset
        if self._budget is not None:
            self._budget.release(self)
        if self._running_cycle is not None:  # which uvicorn leaves out where another request waits behind it
            self._running_cycle.disconnected = True
        super().connection_lost(exc)

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that has been idle for long, unless a request has come in that is not read yet.

        The loop looks at its timers before it reads, and closes when its turn is over. Under load a turn takes a tenth
        of a second, and whoever had asked again in that time would find the connection broken. So the client is told
        now; it looks before it asks again.
        """
        descriptor = self.transport.get_extra_info("socket").fileno()
        if _is_readable(descriptor):
            return
        with suppress(OSError):
            connection = socket.socket(fileno=descriptor)  # a copy would need a descriptor, and there may be none left
            try:
                connection.shutdown(socket.SHUT_WR)
            finally:
                connection.detach()
        self._close()

    def pause_writing(self) -> None:
        """Give the client a time to take what has been written."""
        super().pause_writing()
        self._start_write_timer()

    def resume_writing(self) -> None:
        """Go on with what has come in meanwhile."""
        super().resume_writing()
        self._cancel_write_timer()
        self._parse()

    def data_received(self, data: bytes) -> None:
        """Parse what has come in, or keep it until what came before it has been answered."""
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
        """Go on with the next request."""
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
        """Drop the request that is coming in, as the worker holds too many bytes."""
        most = 0 if self._budget is None else self._budget.max_bytes
        self._reject(
            Overloaded(
                f"The service is busy: it holds {most:,} bytes of requests that have not come in whole, the most that "
                "it may, and this one has stopped for longest. The connection is closed. Try again in a second."
            )
        )

    def _parse(self, *, received: int = 0) -> None:
        """Parse what is there, until a request has come in whole; `received` bytes of it have just come in."""
        end = time.perf_counter() + _MAX_PARSE_SECONDS if self._unparsed else 0.0
        while self._unparsed and self._may_parse():
            if time.perf_counter() > end:
                self._schedule_resumption()
                break
            piece = bytes(self._unparsed[:_MAX_FEED_BYTES])
            del self._unparsed[:_MAX_FEED_BYTES]
            self._feed(piece)
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
        if self.parser is not None:  # the connection is still there
            self._parse()

    def _may_parse(self) -> bool:
        is_in_body = self._in_request and not self._in_head and not self.pipeline
        return (
            (is_in_body or self._is_idle())
            and not self._is_closing
            and not self.flow.write_paused
            and not self.transport.is_closing()
        )

    def _update_budget(self, budget: ByteBudget, received: int) -> None:
        is_answered = self._is_idle()
        self._is_in_budget = True
        if self._unparsed or self._in_head or (self._in_request and not is_answered):
            budget.receive(self, received)
        elif is_answered:
            budget.release(self)
            self._is_in_budget = False
        else:
            budget.keep(self)

    def _feed(self, piece: bytes) -> None:
        """Parse one piece."""
        begun, body_bytes = self._requests_started, self._body_bytes
        rest = piece
        while rest:
            rest = self._feed_parser(rest)
        if self._in_request and self._requests_started == begun:  # all of the piece is of one request
            self._overhead_bytes += len(piece) - (self._body_bytes - body_bytes)
            if self._overhead_bytes > MAX_HEAD_BYTES + _MAX_FRAMING_RATIO * self._body_bytes:
                self._reject(HeadTooLarge(MAX_HEAD_BYTES, MAX_HEADERS))

    def _feed_parser(self, data: bytes) -> bytes:
        """Have the parser take `data`, and return what it has to be given next."""
        try:
            self.parser.feed_data(data)
        except HttpParserUpgrade as offer:
            return self._decline_upgrade(data[offer.args[0] :])
        except HttpParserError as error:
            message = f"What was sent is no HTTP/1.1 request that can be read: {error}. The connection is closed."
            self._reject(MalformedRequest(message))
        return b""

    def _decline_upgrade(self, rest: bytes) -> bytes:
        """Go on in HTTP/1.1 with a request that offers another protocol, as a server may (RFC 9110, section 7.8).

        The parser takes all that is behind its head, `rest`, for the other protocol's. So another one gets the head
        again, without the offer.
        """
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._reject(MalformedRequest("CONNECT asks for a proxy, and this is none. The connection is closed."))
            return b""
        headers = b"".join(b"%s: %s\r\n" % header for header in self.headers if header[0] != b"upgrade")
        version = self.parser.get_http_version().encode()
        self.parser = HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it
        return b"%s %s HTTP/%s\r\n%s\r\n%s" % (method, self.url, version, headers, rest)

    def on_message_begin(self) -> None:
        """Begin to parse a request."""
        self._in_request = self._in_head = True
        self._requests_started += 1
        self._body_bytes = self._overhead_bytes = 0
        self._make_scope()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header. What comes behind a chunked body is passed over, and so are cookies: nothing asks for them.

        The framework would parse cookies all the same, and older versions of Python take seconds for 60 kB of quotes in
        them (CVE-2024-7592).
        """
        if self._in_head and len(self.headers) <= MAX_HEADERS and name.lower() != b"cookie":
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin one request, whose body is still to come."""
        if len(self.headers) > MAX_HEADERS:
            self._reject(HeadTooLarge(MAX_HEAD_BYTES, MAX_HEADERS))
        elif len(self.url) > MAX_URL_BYTES:
            self._reject(UrlTooLong(len(self.url), MAX_URL_BYTES))
        if self._is_closing or self.parser.should_upgrade():
            return
        self._in_head = False
        self._begin_request()

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        self._body_bytes += len(body)
        if not self._is_closing:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that a request has come in whole."""
        if self._is_closing or self.parser.should_upgrade():
            return
        self._in_request = False
        self._cancel_upload_timer()
        self._complete_request()
        # Where it was answered before that, its last bytes have unset this timer.
        if self._is_idle() and self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _make_scope(self) -> None:
        super().on_message_begin()

    def _begin_request(self) -> None:
        super().on_headers_complete()

    def _complete_request(self) -> None:
        super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:  # noqa: ANN401 - as uvicorn has it
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
        """Close a connection on which no request has come in whole in time."""
        self._upload_timer = None
        if not self._is_idle():
            self._start_upload_timer()  # whoever reads its body watches the time too, and answers
        elif self._in_head and self._upload_seconds is not None:
            self._reject(TooSlow(self._upload_seconds))
        else:
            self.transport.close()

    def _start_drain_timer(self) -> None:
        """Give the client of a connection that is being closed a time to take what has been written."""
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
        """Parse nothing more; answer what is coming in with a problem, after all that came before, and close."""
        if self._is_closing:
            return
        self._is_closing = True
        self._unparsed.clear()
        self._cancel_upload_timer()
        self._final_response = (
            self._drop_request(error) if self._in_request and not self._in_head else self._problem_response(error)
        )
        # Not at once: what was refused in the same turn of the loop is answered in the next one.
        self.loop.call_soon(self._send_final_response)

    def _drop_request(self, error: Exception) -> RawResponse | None:
        """Take a request that is coming in away from whoever serves it, and give the answer that is still due."""
        cycle = self.cycle
        if cycle.response_complete:
            return None
        if self.pipeline and self.pipeline[0][0] is cycle:  # nobody serves it yet
            self.pipeline.popleft()
        else:
            cycle.disconnected = True
            cycle.message_event.set()
        return None if cycle.response_started else self._problem_response(error)

    def _problem_response(self, error: Exception) -> RawResponse:
        request_id = request_id_of({"headers": []})
        kind = problems.kind_of(error)
        self.logger.warning("%s: %s (request id %s)", kind.name, error, request_id)
        response = problems.problem_response(problems.problem(kind, str(error), instance="", request_id=request_id))
        headers = [*response.raw_headers, *response_headers(request_id, 0)]
        return RawResponse(response.status_code, headers, bytes(response.body))

    def _send_final_response(self) -> None:
        """Send the last answer and close the connection, if all requests before have been answered.

        Were it closed while the client still sends, the client would get a reset in the place of the answer. So what
        comes is passed over for a while (RFC 9112, section 9.6).
        """
        if self._is_lingering or self._is_answering() or self.transport.is_closing():
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

    def _is_answering(self) -> bool:
        running = self._running_cycle
        return bool(self.pipeline) or not (running is None or running.response_complete or running.disconnected)

    def _write_response(self, response: Response | RawResponse, *, keep_alive: bool) -> None:
        headers = (*self.server_state.default_headers, *response.raw_headers)
        lines = b"".join([b"%s: %s\r\n" % header for header in headers])
        if not keep_alive:
            lines += b"connection: close\r\n"
        self.transport.write(b"%s%s\r\n%s" % (STATUS_LINE[response.status_code], lines, response.body))

    def _is_idle(self) -> bool:
        """Tell whether nothing is being answered."""
        return self.cycle is None or self.cycle.response_complete


def _is_readable(descriptor: int) -> bool:
    """Tell whether there is something to be read; needs no descriptor of its own, as `selectors` does."""
    if sys.platform == "win32":
        return bool(select.select([descriptor], [], [], 0)[0])
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))
