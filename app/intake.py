"""HTTP/1.1 as it comes in, within bounds: uvicorn's protocol, and what that leaves out. Knows no door and no model.

Whoever sends no request, half of one or a head without end is sent away in time; an offer to go on in another protocol
is declined; and what is no request at all is answered with a problem, as everything else.
"""

import asyncio
import selectors
import socket
from contextlib import suppress
from os import dup
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from app import problems
from app.errors import HeadTooLarge, MalformedRequest, TooSlow
from app.journal import request_id_of
from app.middleware import marks
from app.refusal import Answer

LONGEST_HEAD = 64 * 1024
"""In bytes; the first piece of a head may be longer, as much as the loop reads at once."""


class Intake(HttpToolsProtocol):
    """One connection. The lifespan may leave in its state how long a request takes to come in, as `upload_seconds`."""

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - they are uvicorn's
        super().__init__(*arguments, **named)
        self._upload_seconds: float | None = self.app_state.get("upload_seconds")
        self._upload_timer: asyncio.TimerHandle | None = None
        self._amid = False  # whether the parser is amid a request...
        self._in_head = False  # ...and in its head
        self._head_bytes = 0  # of it, after its first piece

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin a connection."""
        super().connection_made(transport)
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """End a connection."""
        self._request_came()
        self._unset_keepalive_if_required()  # which uvicorn leaves out after a reset
        super().connection_lost(exc)

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that has been idle for long, unless a request has come in that is not read yet.

        The loop looks at its timers before it reads, and closes when its turn is over. Under load a turn takes a tenth
        of a second, and whoever had asked again in that time would find the connection broken. So the client is told
        now; it looks before it asks again.
        """
        number = self.transport.get_extra_info("socket").fileno()
        with selectors.DefaultSelector() as selector:
            selector.register(number, selectors.EVENT_READ)
            if selector.select(0):
                return
        with suppress(OSError), socket.socket(fileno=dup(number)) as connection:
            connection.shutdown(socket.SHUT_WR)
        super().timeout_keep_alive_handler()

    def data_received(self, data: bytes) -> None:
        """Parse what has come in."""
        self._unset_keepalive_if_required()
        was_in_head = self._in_head
        self._parse(data)
        if was_in_head and self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > LONGEST_HEAD:
                self._turn_down(HeadTooLarge(LONGEST_HEAD))
        if self._amid and self._upload_timer is None:
            self._await_request()

    def _parse(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except HttpParserUpgrade as offer:
            self._decline(data[offer.args[0] :])
        except HttpParserError as error:
            message = f"What was sent is no HTTP/1.1 request that can be read: {error}. The connection is closed."
            self._turn_down(MalformedRequest(message))

    def _decline(self, rest: bytes) -> None:
        """Go on in HTTP/1.1 with a request that offers another protocol, as a server may (RFC 9110, section 7.8).

        The parser takes all that is behind its head, `rest`, for the other protocol's. So another one gets the head
        again, without the offer.
        """
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._turn_down(MalformedRequest("CONNECT asks for a proxy, and this is none. The connection is closed."))
            return
        headers = b"".join(b"%s: %s\r\n" % header for header in self.headers if header[0] != b"upgrade")
        version = self.parser.get_http_version().encode()
        self.parser = HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it
        self._parse(b"%s %s HTTP/%s\r\n%s\r\n%s" % (method, self.url, version, headers, rest))

    def on_message_begin(self) -> None:
        """Begin to parse a request."""
        self._amid = self._in_head = True
        self._head_bytes = 0
        self._make_scope()

    def on_headers_complete(self) -> None:
        """Begin one request, whose body is still to come."""
        self._in_head = False
        if not self.parser.should_upgrade():
            self._begin_request()

    def on_message_complete(self) -> None:
        """Note that a request has come in whole."""
        if self.parser.should_upgrade():
            return
        self._amid = False
        self._request_came()
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

    def _await_request(self) -> None:
        if self._upload_seconds is not None:
            self._upload_timer = self.loop.call_later(self._upload_seconds, self._give_up)

    def _request_came(self) -> None:
        if self._upload_timer is not None:
            self._upload_timer.cancel()
            self._upload_timer = None

    def _give_up(self) -> None:
        """Close a connection on which no request has come in whole in time."""
        self._upload_timer = None
        if not self._is_idle():
            self._await_request()  # whoever reads its body watches the time too, and answers
        elif self._in_head and self._upload_seconds is not None:
            self._turn_down(TooSlow(self._upload_seconds))
        else:
            self.transport.close()

    def _turn_down(self, error: Exception) -> None:
        """Answer what is no request, unless others are still to be answered before it, and close the connection."""
        request_id = request_id_of({"headers": []})
        kind = problems.kind_of(error)
        self.logger.warning("%s: %s (request id %s)", kind.name, error, request_id)
        if self._is_idle():
            response = problems.answer(problems.problem(kind, str(error), instance="", request_id=request_id))
            response.raw_headers += marks(request_id, 0)
            self._write(response, keep_alive=False)
        self.transport.close()

    def _write(self, response: Response | Answer, *, keep_alive: bool) -> None:
        headers = (*self.server_state.default_headers, *response.raw_headers)
        lines = b"".join([b"%s: %s\r\n" % header for header in headers])
        if not keep_alive:
            lines += b"connection: close\r\n"
        self.transport.write(b"%s%s\r\n%s" % (STATUS_LINE[response.status_code], lines, response.body))
        if not keep_alive:
            self.transport.close()

    def _is_idle(self) -> bool:
        """Tell whether nothing is being answered."""
        return self.cycle is None or self.cycle.response_complete
