"""HTTP/1.1 with the door before it. Knows no reason why anything is refused, and no answer."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from app.errors import TooSlow
from app.heads import Head
from app.intake import Intake
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


class Protocol(Intake):
    """One connection. What the door refuses is answered before a task is made for it, and its body passed over.

    The lifespan leaves the door in its state, as `door`, what answers small predictions without a task, as `express`,
    and the heads that are known, as `heads`; there may be none. A request that is out of the ordinary goes past them:
    the application will refuse it, if need be.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - they are uvicorn's
        super().__init__(*arguments, **named)
        self._door: Any = self.app_state.get("door")
        self._express = self.app_state.get("express")
        self._heads = self.app_state.get("heads")
        self._beginning = b""  # what the parser is given, if a request begins with it
        self._passage: _Passage | None = None  # a small prediction that is coming in or awaits its answer
        self._refusal_due = False  # whether a refusal is to be written in the next turn of the loop

    def connection_lost(self, exc: Exception | None) -> None:
        """End a connection."""
        if self._passage is not None:
            self._lose(self._passage)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what has come in: a whole request whose head is known, or else something to be parsed."""
        if self._heads is not None and not self._amid and not self._unread and self._may_parse():
            known = self._heads.find(data)
            if known is not None and self._take(*known):
                self._unset_keepalive_if_required()
                self._request_came()
                return
            self._beginning = data
        super().data_received(data)

    def _take(self, head: Head, body: bytes) -> bool:
        """Answer or begin a request that has not been parsed; False: it has to be, and nothing has happened."""
        self._make_scope()
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

    def _begin_request(self) -> None:
        """Answer or begin one request, whose body is still to come."""
        beginning, self._beginning = self._beginning, b""  # another request may follow in the same data
        if self._door is None or not self._is_ordinary():
            super()._begin_request()
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
            super()._begin_request()
        else:
            self.cycle = self._passage = _Passage()

    def _turn_away(self, refusal: Answer) -> None:
        self.cycle = passage = _Passage()
        passage.response_complete = True  # which has uvicorn pass over the body
        self._refusal_due = True
        # Not at once. The loop reads as long as there is something to read; a sender who hears no and asks again would
        # keep it from what has been let in, for seconds.
        self.loop.call_soon(self._refuse, passage, refusal)

    def _complete_request(self) -> None:
        """Begin a small prediction, which has come in whole."""
        if (arrive := self.scope["state"].get("arrive")) is not None:
            arrive()
        passage = self._passage
        if self._express is None or passage is None or self.cycle is not passage:
            super()._complete_request()
            return
        passage.forget = self._express.take(self.scope, bytes(passage.body), partial(self._deliver, passage))
        if passage.forget is None:
            self._go_the_usual_way(passage)
            super()._complete_request()

    def _go_the_usual_way(self, passage: _Passage) -> None:
        """Have a task serve a request after all."""
        self._passage = None
        self.cycle = None  # type: ignore[assignment]  # as before the first request
        super()._begin_request()
        self.cycle.keep_alive &= passage.keep_alive
        super().on_body(bytes(passage.body))

    def _give_up(self) -> None:
        passage = self._passage
        if passage is None or passage.forget is not None or self._upload_seconds is None:
            super()._give_up()
        else:
            self._turn_down(TooSlow(self._upload_seconds))

    def _drop_request(self, error: Exception) -> Answer | None:
        passage = self._passage
        if passage is None or passage is not self.cycle:
            return super()._drop_request(error)
        self._passage = None
        passage.response_complete = True
        answer: Answer = self._door.give_up(self.scope, error)
        return answer

    def _may_parse(self) -> bool:
        return not self._refusal_due and super()._may_parse()

    def _is_answering(self) -> bool:
        return self._passage is not None or super()._is_answering()

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
        if not passage.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def _refuse(self, passage: _Passage, response: Answer) -> None:
        """Answer a request that was not let in."""
        self._refusal_due = False
        self._write(response, keep_alive=True)
        if self.cycle is passage:  # and no other request, sent on its heels, which will say so itself
            self.on_response_complete()
        elif self.parser is not None:  # the connection is still there
            self._parse()

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
            and parser.get_http_version() == "1.1"
            and bool(parser.should_keep_alive())
        )
