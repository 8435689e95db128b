"""Answers small predictions past task and framework: a request that has come in whole in, its answer out.

Those that came in together are answered together, each step for all of them before the next one. What is not quite such
a request goes the usual way, through the application, where `routes/predict.py` does the same with the same functions.
Knows no sockets.
"""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
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
from app.predictor import Predictor, Question
from app.routes import predict
from app.schemas import Prediction
from app.settings import Settings
from app.uploads import form_options, picture_in
from app.versions import ServedVersion
from imaging import NotBrief

COHORTS = 4
"""How many batches are answered in one turn of the event loop. With a turn between any two, each would wait for all
that came in meanwhile to be taken or refused: where most are refused, that leaves a third of the answers. Were all
answered that wait, a turn would take a fifth of a second, and meanwhile nobody would be connected."""

_TURN_SECONDS = 0.02
"""About how long pictures are read and scored in one turn: small ones take from 0.1 to 2 ms each."""
_NEWEST_SHARE = 0.2

_ROUTE = next(route for route in predict.router.routes if route.path == "/predict")  # type: ignore[attr-defined]


@dataclass(slots=True, eq=False)
class _Trip:
    """One request."""

    scope: Scope
    request_id: str
    question: Question
    served: ServedVersion
    send: Callable[[Response], None]


class Express:
    """Stands beside the application, before the same predictor."""

    def __init__(self, predictor: Predictor, journal: Journal, settings: Settings) -> None:
        self._predictor = predictor
        self._journal = journal
        self._tokens = Tokens(settings)
        self._default_model = settings.default_model
        self._max_body_bytes = settings.max_body_bytes
        self._deadline_seconds = settings.deadline_seconds
        self._waiting: deque[_Trip] = deque()
        self._called = False  # whether `_run` will be
        self._mean_seconds = _TURN_SECONDS / LARGEST_BATCH  # that one takes, of late
        self._tasks: set[asyncio.Task[None]] = set()

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
        self._waiting.append(trip)
        if not self._called:
            self._called = True
            # Not at once: those that arrived with this one are taken in the same turn of the loop, and those that came
            # in meanwhile in the next. With 16 connections to two workers, cohorts of 5 become cohorts of 8.
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, self._run)
        return partial(self._forget, trip)

    def _prepare(self, scope: Scope, body: bytes, send: Callable[[Response], None]) -> _Trip | None:
        since = time.perf_counter()
        if len(body) > self._max_body_bytes or self._tokens.is_for_a_page(scope):
            return None
        try:
            served, picture, options = self._understand(scope, body)
        except Exception:  # noqa: BLE001 - the usual way meets it too, and tells of it
            return None
        if served is None:
            return None
        return _Trip(scope, request_id_of(scope), Question(picture, options.seen, since), served, send)

    def _understand(self, scope: Scope, body: bytes) -> tuple[ServedVersion | None, bytes, predict.Options]:
        """Find what a request is about; raises what is wrong with it."""
        if refusal := self._tokens.refusal(scope):
            raise refusal
        content_type = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
        options = predict.read_options(scope["query_string"])
        picture = picture_in(body, form_options(content_type.decode("latin-1")))
        served = self._predictor.find_brief(picture, options.model or self._default_model, options.version)
        return served, picture, options

    def _run(self) -> None:
        """Answer those that wait, the oldest first."""
        started = time.perf_counter()
        try:
            for _ in range(COHORTS):
                if not self._waiting:  # their senders have left
                    break
                self._answer([self._waiting.popleft() for _ in range(min(len(self._waiting), self._cohort_size()))])
                if len(self._waiting) < LARGEST_BATCH or time.perf_counter() - started > _TURN_SECONDS:
                    break
        finally:  # whatever happens to these, the others are answered
            self._called = bool(self._waiting)
            if self._called:
                asyncio.get_running_loop().call_soon(self._run)

    def _cohort_size(self) -> int:
        """Say how many pictures like those of late can be read in a turn."""
        return max(1, min(LARGEST_BATCH, int(_TURN_SECONDS / self._mean_seconds)))

    def _answer(self, trips: Sequence[_Trip]) -> None:
        """Answer at most LARGEST_BATCH."""
        started = time.perf_counter()
        self._answer_in_cohorts(trips)
        seconds = (time.perf_counter() - started) / len(trips)
        self._mean_seconds += _NEWEST_SHARE * (seconds - self._mean_seconds)

    def _answer_in_cohorts(self, trips: Sequence[_Trip]) -> None:
        too_late = time.perf_counter() - self._deadline_seconds
        cohorts: defaultdict[int, list[_Trip]] = defaultdict(list)
        for trip in trips:
            if trip.question.since < too_late:
                self._finish([trip], [DeadlineExceeded(self._deadline_seconds)])
            else:
                cohorts[id(trip.served)].append(trip)
        for cohort in cohorts.values():
            try:
                outcomes = self._predictor.predict_now(cohort[0].served, [trip.question for trip in cohort])
            except Exception as error:  # noqa: BLE001 - it is told to the senders, and logged unless it was to be expected
                outcomes = [error] * len(cohort)
            self._finish_brief(cohort, outcomes)

    def _finish_brief(self, trips: Sequence[_Trip], outcomes: Sequence[Prediction | Exception]) -> None:
        """Send what came of them, but for pictures that were found not to be brief: these are read elsewhere."""
        large = [trip for trip, outcome in zip(trips, outcomes, strict=True) if isinstance(outcome, NotBrief)]
        for trip in large:
            task = asyncio.get_running_loop().create_task(self._answer_large(trip))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if large:
            trips = [trip for trip in trips if trip not in large]
            outcomes = [outcome for outcome in outcomes if not isinstance(outcome, NotBrief)]
        self._finish(trips, outcomes)

    async def _answer_large(self, trip: _Trip) -> None:
        outcome: Prediction | Exception
        try:
            outcome = await self._predictor.predict_large(trip.served, trip.question)
        except Exception as error:  # noqa: BLE001 - as above
            outcome = error
        self._finish([trip], [outcome])

    def _finish(self, trips: Sequence[_Trip], outcomes: Sequence[Prediction | Exception]) -> None:
        """Send what came of them."""
        responses = [self._response(trip, outcome) for trip, outcome in zip(trips, outcomes, strict=True)]
        for trip, response in zip(trips, responses, strict=True):
            trip.send(response)
        for trip, outcome, response in zip(trips, outcomes, responses, strict=True):
            self._end(trip, response.status_code, _failure(outcome))

    def _response(self, trip: _Trip, outcome: Prediction | Exception) -> Response:
        if isinstance(outcome, Prediction):
            response = predict.answer(outcome, trip.scope)
        else:
            response = problems.answer_to(outcome, trip.scope, trip.request_id, self._journal.refuse)
        response.raw_headers += marks(trip.request_id, time.perf_counter() - trip.question.since)
        return response

    def _forget(self, trip: _Trip) -> None:
        """Drop one whose sender has left."""
        if trip in self._waiting:
            self._waiting.remove(trip)
            self._end(trip, CLIENT_LEFT)

    def _end(self, trip: _Trip, status: int, failure: Exception | None = None) -> None:
        trip.scope["state"]["leave"]()
        seconds = time.perf_counter() - trip.question.since
        self._journal.end(trip.scope, request_id=trip.request_id, status=status, seconds=seconds, failure=failure)


def _failure(outcome: Prediction | Exception) -> Exception | None:
    """Give what the service itself failed at, if it did."""
    return outcome if isinstance(outcome, Exception) and not isinstance(outcome, problems.EXPECTED) else None
