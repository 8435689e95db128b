"""HTTP/1.1 as uvicorn speaks it, with the door before it. Knows no reason why anything is refused."""

import asyncio
import os
import re
import selectors
import socket
import time
from contextlib import suppress
from functools import partial
from typing import Any, cast

from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d{1,9})\r\n", re.IGNORECASE)


class _Answered:
    """Stands for a request that is over before it began: what uvicorn wants to know of it."""

    response_complete = True
    message_event = asyncio.Event()  # nobody waits for it


class _OneWrite:
    """The way out for one answer to a POST: holds its head back until the body comes, so that both are one write.

    ASGI allows that, and uvicorn makes two: two calls of the kernel, two segments, and a client that wakes up twice.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head: bytes | None = None
        self.close = transport.close

    def write(self, data: bytes) -> None:
        """Write what there is, unless it is the head."""
        if self._head is None:
            self._head = data
            return
        self._transport.write(self._head + data)
        self.write = self._transport.write  # type: ignore[method-assign]  # what is left of the body, as it comes


class Protocol(HttpToolsProtocol):
    """One connection. What the door refuses is answered before a task is made for it, and its body passed over.

    The lifespan leaves the door in its state, as `door`, and the line where small requests wait for their turn, as
    `line`; there may be none. A request that is out of the ordinary goes past them: the application will refuse it, if
    need be. Where there are other workers, `sharing` is there too, and has some connections passed on to them, and all
    until `is_ready`, which comes with it, says that this one can answer.
    """

    def __init__(self, *arguments: Any, adopted: bool = False, **named: Any) -> None:  # noqa: ANN401 - they are uvicorn's
        super().__init__(*arguments, **named)
        self._line = self.app_state.get("line")
        self._held: bytes | None = None  # a request that waits in the line
        self._since = 0.0
        self._waited = 0.0  # seconds, that which is begun now
        self._brief = False  # whether the request that is coming in is a small prediction
        self._under_way = False  # whether the line counts it
        self._sharing = self.app_state.get("sharing")
        self._adopted = adopted
        self._passed_on = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin a connection, or pass it on."""
        if self._sharing is not None and not self._adopted:
            if not self._sharing.joined and self.app_state["is_ready"]():
                self._sharing.join(
                    partial(Protocol, self.config, self.server_state, self.app_state, _loop=self.loop, adopted=True),
                    holding=len(self.connections),
                )
            self._passed_on = self._sharing.pass_on(transport.get_extra_info("socket").fileno())
        if self._passed_on:
            transport.abort()  # this copy of it
        else:
            super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """End a connection."""
        if self._passed_on:
            return
        if self._sharing is not None:
            self._sharing.release()
        self._held = None
        self._leave_line()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came in, or hold it back until it is its turn."""
        if self._held is not None:  # what comes after it waits with it, and no more than that
            self._held += data
            self.flow.pause_reading()
        elif self._line is not None and self._line.is_moving and self._is_idle() and _is_whole_prediction(data):
            self._unset_keepalive_if_required()
            self._held, self._since = data, time.perf_counter()
            self._line.wait(self._begin)
        else:
            super().data_received(data)

    def _begin(self) -> None:
        """Take what was held back."""
        if self._held is None:  # the connection is gone
            return
        held, self._held = self._held, None
        self.flow.resume_reading()
        self._waited = time.perf_counter() - self._since
        super().data_received(held)
        self._waited = 0.0

    def shutdown(self) -> None:
        """Close the connection, once it has got its answer if it waits for one."""
        self._begin()
        super().shutdown()

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
        with suppress(OSError), socket.socket(fileno=os.dup(number)) as connection:
            connection.shutdown(socket.SHUT_WR)
        super().timeout_keep_alive_handler()

    def on_headers_complete(self) -> None:
        """Answer or begin one request, whose body is still to come."""
        door = self.app_state.get("door")
        if door is None or not self._is_ordinary():
            super().on_headers_complete()
            return
        scope: dict[str, Any] = self.scope  # type: ignore[assignment]  # which is not complete yet
        scope["method"] = "POST"
        scope["path"] = self.root_path + self.url.partition(b"?")[0].decode("ascii")
        response = door.enter(scope)
        if response is None:
            if self._waited:
                scope["state"]["waited"], self._waited = self._waited, 0.0
            self._brief = scope["state"]["brief"]
            super().on_headers_complete()
            self.cycle.transport = cast("asyncio.Transport", _OneWrite(self.transport))
            return
        self.cycle = answered = cast("RequestResponseCycle", _Answered())  # which has uvicorn pass over the body
        # Not at once. The loop reads as long as there is something to read; a sender who hears no and asks again would
        # keep it from what has been let in, for seconds.
        self.loop.call_soon(self._answer, answered, response)

    def on_message_complete(self) -> None:
        """Note that a request has come in whole."""
        if self._brief and self._line is not None and not self.cycle.response_complete:
            self._brief = False
            self._under_way = True
            self._line.enter()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Note that a request has been answered."""
        self._leave_line()
        super().on_response_complete()

    def _leave_line(self) -> None:
        if self._under_way and self._line is not None:
            self._under_way = False
            self._line.leave()

    def _answer(self, answered: RequestResponseCycle, response: Response) -> None:
        headers = (*self.server_state.default_headers, *response.raw_headers)
        lines = b"".join([b"%s: %s\r\n" % header for header in headers])
        self.transport.write(b"%s%s\r\n%s" % (STATUS_LINE[response.status_code], lines, response.body))
        if self.cycle is answered:  # and no other request, sent on its heels, which will say so itself
            self.on_response_complete()

    def _is_idle(self) -> bool:
        """Tell whether nothing is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def _is_ordinary(self) -> bool:
        """Tell whether this is a POST to a plain path, and the only request, which leaves the connection open."""
        parser = self.parser
        return (
            parser.get_method() == b"POST"
            and self.url.startswith(b"/")
            and self.url.isascii()
            and b"%" not in self.url
            and self._is_idle()
            and not self.expect_100_continue
            and not parser.should_upgrade()
            and parser.get_http_version() == "1.1"
            and bool(parser.should_keep_alive())
        )


def _is_whole_prediction(data: bytes) -> bool:
    """Tell whether `data` is one whole request for a prediction, by its first line and its length."""
    if not data.startswith((b"POST /predict ", b"POST /predict?")):
        return False
    body = data.find(b"\r\n\r\n") + 4
    length = _LENGTH.search(data, 0, body)
    return length is not None and body + int(length[1]) == len(data)
