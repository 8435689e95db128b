"""HTTP/1.1 as uvicorn speaks it, with the door before it. Knows no reason why anything is refused, and no answer."""

import asyncio
import os
import selectors
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from app.heads import Head
from app.refusal import Answer


class _Passage(RequestResponseCycle):
    """A request that no task serves: what uvicorn wants to know of it."""

    message_event = asyncio.Event()  # nobody waits for it

    def __init__(self) -> None:  # and no more of it than this
        self.body = bytearray()
        self.keep_alive = True
        self.disconnected = False
        self.response_complete = False
        self.forget: Callable[[], object] | None = None
        """What to call if the sender leaves while the answer is awaited."""


class Protocol(HttpToolsProtocol):
    """One connection. What the door refuses is answered before a task is made for it, and its body passed over.

    The lifespan leaves the door in its state, as `door`, what answers small predictions without a task, as `express`,
    and the heads that are known, as `heads`; there may be none. A request that is out of the ordinary goes past them:
    the application will refuse it, if need be. Where there are other workers, `sharing` is there too, and has some
    connections passed on to them, and all until `is_ready`, which comes with it, says that this one can answer.
    """

    def __init__(self, *arguments: Any, adopted: bool = False, **named: Any) -> None:  # noqa: ANN401 - they are uvicorn's
        super().__init__(*arguments, **named)
        self._door: Any = self.app_state.get("door")
        self._express = self.app_state.get("express")
        self._heads = self.app_state.get("heads")
        self._beginning = b""  # what the parser is given, if a request begins with it
        self._amid = False  # whether the parser is amid a request
        self._under_way: RequestResponseCycle | None = None  # what a task serves or has served last
        self._passage: _Passage | None = None  # a small prediction that is coming in or awaits its answer
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
        if self._passage is not None:
            self._lose(self._passage)
        # What uvicorn leaves out: who is under way while another request waits behind it, and the timer after a reset.
        if self._under_way is not None:
            self._under_way.disconnected = True
        self._unset_keepalive_if_required()
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
        with suppress(OSError), socket.socket(fileno=os.dup(number)) as connection:
            connection.shutdown(socket.SHUT_WR)
        super().timeout_keep_alive_handler()

    def data_received(self, data: bytes) -> None:
        """Take what has come in: a whole request whose head is known, or else something to be parsed."""
        if self._heads is not None and not self._amid and self._is_idle():
            known = self._heads.find(data)
            if known is not None and self._take(*known):
                self._unset_keepalive_if_required()
                return
            self._beginning = data
        super().data_received(data)

    def _take(self, head: Head, body: bytes) -> bool:
        """Answer or begin a request that has not been parsed; False: it has to be, and nothing has happened."""
        super().on_message_begin()  # which makes its scope
        scope: dict[str, Any] = self.scope  # type: ignore[assignment]  # as below
        scope.update(method="POST", path=head.path, query_string=head.query, headers=head.headers)
        refusal = self._door.enter(scope)
        if refusal is not None:
            self._turn_away(refusal)
            return True
        passage = _Passage()
        if self._express is not None and scope["state"]["brief"]:
            passage.forget = self._express.take(scope, body, partial(self._deliver, passage))
        if passage.forget is None:
            scope["state"]["leave"]()
            return False
        self.cycle = self._passage = passage
        return True

    def on_message_begin(self) -> None:
        """Begin to parse a request."""
        self._amid = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Answer or begin one request, whose body is still to come."""
        beginning, self._beginning = self._beginning, b""  # another request may follow in the same data
        if self._door is None or not self._is_ordinary():
            super().on_headers_complete()
            return
        path, _, query = self.url.partition(b"?")
        scope: dict[str, Any] = self.scope  # type: ignore[assignment]  # which is not complete yet
        scope["method"] = "POST"
        scope["path"] = self.root_path + path.decode("ascii")
        scope["query_string"] = query
        if self._heads is not None:
            self._heads.learn(beginning, path=scope["path"], query=query, headers=self.headers)
        refusal = self._door.enter(scope)
        if refusal is not None:
            self._turn_away(refusal)
        elif self._express is None or not scope["state"]["brief"]:
            super().on_headers_complete()
        else:
            self.cycle = self._passage = _Passage()

    def _turn_away(self, refusal: Answer) -> None:
        self.cycle = passage = _Passage()
        passage.response_complete = True  # which has uvicorn pass over the body
        # Not at once. The loop reads as long as there is something to read; a sender who hears no and asks again would
        # keep it from what has been let in, for seconds.
        self.loop.call_soon(self._refuse, passage, refusal)

    def on_message_complete(self) -> None:
        """Begin a small prediction, which has come in whole."""
        self._amid = False
        passage = self._passage
        if self._express is None or passage is None or self.cycle is not passage:
            super().on_message_complete()
            return
        passage.forget = self._express.take(self.scope, bytes(passage.body), partial(self._deliver, passage))
        if passage.forget is None:
            self._go_the_usual_way(passage)
            super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:  # noqa: ANN401 - as uvicorn has it
        self._under_way = cycle
        super()._start_asgi_task(cycle, app)

    def _go_the_usual_way(self, passage: _Passage) -> None:
        """Have a task serve a request after all."""
        self._passage = None
        self.cycle = None  # type: ignore[assignment]  # as before the first request
        super().on_headers_complete()
        self.cycle.keep_alive &= passage.keep_alive
        super().on_body(bytes(passage.body))

    def _lose(self, passage: _Passage) -> None:
        """Drop a request whose sender has left."""
        passage.disconnected = True
        forget, passage.forget = passage.forget, None
        if forget is None:  # it has not come in whole: the application will note that
            self._go_the_usual_way(passage)
        else:
            forget()

    def _deliver(self, passage: _Passage, response: Response) -> None:
        """Answer a small prediction."""
        if passage.disconnected:
            return
        self._passage = passage.forget = None  # no cycle is left for the garbage collector
        passage.response_complete = True
        self._write(response, keep_alive=passage.keep_alive)
        self.on_response_complete()

    def _refuse(self, passage: _Passage, response: Answer) -> None:
        """Answer a request that was not let in."""
        self._write(response, keep_alive=True)
        if self.cycle is passage:  # and no other request, sent on its heels, which will say so itself
            self.on_response_complete()

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

    def _is_ordinary(self) -> bool:
        """Tell whether this is a POST to a plain path, and the only request, which leaves the connection open."""
        parser = self.parser
        return (
            parser.get_method() == b"POST"
            and self.url.startswith(b"/")
            and self.url.isascii()
            and b"%" not in self.url
            and b"#" not in self.url
            and self._is_idle()
            and not self.expect_100_continue
            and not parser.should_upgrade()
            and parser.get_http_version() == "1.1"
            and bool(parser.should_keep_alive())
        )
