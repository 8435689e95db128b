"""Answers small predictions past task and framework: a request that has come in whole in, its answer out.

What is not quite such a request goes the usual way, through the application, where `routes/predict.py` does the same
with the same functions. Knows no sockets.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from starlette.responses import Response
from starlette.types import Scope

from app import problems
from app.engine import LARGEST_BATCH
from app.errors import DeadlineExceeded
from app.guard import Tokens
from app.journal import Journal, request_id_of
from app.middleware import CLIENT_LEFT, marks
from app.predictor import Begun, Predictor
from app.routes import predict
from app.uploads import form_options, picture_in
from app.versions import ServedVersion

UNDER_WAY = 4 * LARGEST_BATCH
"""How many are begun before others wait, the oldest first. If all that came were begun at once, a turn of the event
loop would take a fifth of a second under load, and meanwhile nobody would be connected."""

_ROUTE = next(route for route in predict.router.routes if route.path == "/predict")  # type: ignore[attr-defined]


@dataclass(slots=True, eq=False)
class _Trip:
    """One request."""

    scope: Scope
    request_id: str
    picture: bytes
    served: ServedVersion
    seen: bool
    since: float
    send: Callable[[Response], None]
    begun: Begun | None = None


class Express:
    """Stands beside the application, before the same predictor."""

    def __init__(
        self,
        predictor: Predictor,
        journal: Journal,
        tokens: Tokens,
        *,
        default_model: str,
        deadline_seconds: float,
    ) -> None:
        self._predictor = predictor
        self._journal = journal
        self._tokens = tokens
        self._default_model = default_model
        self._deadline_seconds = deadline_seconds
        self._waiting: deque[_Trip] = deque()
        self._under_way = 0

    def take(self, scope: Scope, body: bytes, send: Callable[[Response], None]) -> Callable[[], None] | None:
        """Answer a POST to `/predict`, when it is its turn.

        Args:
            scope: what its head says; in its state, as `leave`, whom to tell when it is over.
            body: all of it.
            send: is given the answer, once, and not before this has returned.

        Returns:
            What to call if its sender leaves before that; None if it has to go the usual way, and nothing has happened.

        """
        trip = self._prepare(scope, body, send)
        if trip is None:
            return None
        scope["route"] = _ROUTE
        self._journal.begin()
        if self._under_way < UNDER_WAY:
            self._begin(trip)
        else:
            self._waiting.append(trip)
        return partial(self._forget, trip)

    def _prepare(self, scope: Scope, body: bytes, send: Callable[[Response], None]) -> _Trip | None:
        since = time.perf_counter()
        try:
            served, picture, options = self._understand(scope, body)
        except Exception:  # noqa: BLE001 - the usual way meets it too, and tells of it
            return None
        if served is None:
            return None
        return _Trip(scope, request_id_of(scope), picture, served, options.seen, since, send)

    def _understand(self, scope: Scope, body: bytes) -> tuple[ServedVersion | None, bytes, predict.Options]:
        """Find what a request is about; raises what is wrong with it."""
        if refusal := self._tokens.refusal(scope):
            raise refusal
        content_type = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
        options = predict.read_options(scope["query_string"])
        picture = picture_in(body, form_options(content_type.decode("latin-1")))
        served = self._predictor.find_brief(picture, options.model or self._default_model, options.version)
        return served, picture, options

    def _begin(self, trip: _Trip) -> None:
        loop = asyncio.get_running_loop()
        if time.perf_counter() - trip.since > self._deadline_seconds:
            loop.call_soon(self._fail, trip, DeadlineExceeded(self._deadline_seconds))
            return
        try:
            trip.begun = self._predictor.begin(trip.served, trip.picture)
        except Exception as error:  # noqa: BLE001 - it is told to the sender, and logged unless it was to be expected
            loop.call_soon(self._fail, trip, error)
        else:
            self._under_way += 1
            trip.begun.scores.add_done_callback(partial(self._finish, trip, trip.begun))

    def _finish(self, trip: _Trip, begun: Begun, _scores: object) -> None:
        """Answer one that has its scores, and begin the next."""
        self._under_way -= 1
        while self._waiting and self._under_way < UNDER_WAY:
            self._begin(self._waiting.popleft())
        try:
            prediction = self._predictor.finish(begun, seen=trip.seen)
        except asyncio.CancelledError:
            self._end(trip, CLIENT_LEFT)
        except Exception as error:  # noqa: BLE001 - as above
            self._fail(trip, error)
        else:
            self._answer(trip, predict.answer(prediction, trip.scope))

    def _fail(self, trip: _Trip, error: Exception) -> None:
        response = problems.answer_to(error, trip.scope, trip.request_id, self._journal.refuse)
        self._answer(trip, response, None if isinstance(error, problems.EXPECTED) else error)

    def _answer(self, trip: _Trip, response: Response, failure: Exception | None = None) -> None:
        response.raw_headers += marks(trip.request_id, time.perf_counter() - trip.since)
        trip.send(response)
        self._end(trip, response.status_code, failure)

    def _forget(self, trip: _Trip) -> None:
        """Drop one whose sender has left."""
        if trip.begun is not None:
            trip.begun.scores.cancel()
        elif trip in self._waiting:
            self._waiting.remove(trip)
            self._end(trip, CLIENT_LEFT)

    def _end(self, trip: _Trip, status: int, failure: Exception | None = None) -> None:
        trip.scope["state"]["leave"]()
        seconds = time.perf_counter() - trip.since
        self._journal.end(trip.scope, request_id=trip.request_id, status=status, seconds=seconds, failure=failure)
