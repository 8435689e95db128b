"""Answers requests to classify a small picture, without FastAPI and usually without a task. Knows no connection.

Requests are answered in batches: the first request of a batch waits for two iterations of the event loop, in which
others are received. Every request that is invalid, or may not be cheap to answer, is left to the application, whose
`routes/predict.py` calls the same functions.
"""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from starlette.responses import Response
from starlette.types import Scope

from app.errors import DeadlineExceeded
from app.inference.engines import LARGEST_BATCH
from app.model_repository.versions import LoadedVersion
from app.observability.request_log import RequestLog
from app.prediction.predictor import PendingPicture, Predictor
from app.routes import predict
from app.schemas import Prediction
from app.settings import Settings
from app.web import problems
from app.web.auth import AccessPolicy
from app.web.parameters import add_fields
from app.web.request_ids import request_id_of, response_headers
from app.web.request_log_middleware import CLIENT_CLOSED_REQUEST
from app.web.uploads import extract_picture, form_options
from imaging import ExpensivePicture

MAX_BATCHES = 4
"""The number of batches in one iteration of the event loop. With one batch, the rate under overload falls to
a third, because all new requests are admitted or refused between two batches. Without a limit, an iteration takes 0.2
seconds, in which no connection is accepted."""

_MAX_RUN_SECONDS = 0.02
"""The target duration of all batches in one iteration. A cheap picture takes between 0.1 and 2 ms."""
_SMOOTHING = 0.2
"""The weight of the newest batch in the moving average of the duration of one picture."""

_ROUTE = next(route for route in predict.router.routes if route.path == "/predict")  # type: ignore[attr-defined]


@dataclass(slots=True, eq=False)
class PendingRequest:
    """A request that waits for its prediction."""

    scope: Scope
    request_id: str
    picture: PendingPicture
    version: LoadedVersion
    send: Callable[[Response], None]


class FastPath:
    """Answers fast-path requests with the application's own predictor. Belongs to one event loop.

    A fast-path request is a POST to `/predict` with one picture that is cheap to decode.
    """

    def __init__(self, predictor: Predictor, request_log: RequestLog, settings: Settings) -> None:
        self._predictor = predictor
        self._request_log = request_log
        self._access_policy = AccessPolicy(settings)
        self._default_model = settings.default_model
        self._max_body_bytes = settings.max_body_bytes
        self._deadline_seconds = settings.deadline_seconds
        self._waiting: deque[PendingRequest] = deque()
        self._is_scheduled = False  # whether `_run` will be called
        self._mean_seconds = _MAX_RUN_SECONDS / LARGEST_BATCH  # for one picture, a moving average
        self._tasks: set[asyncio.Task[None]] = set()

    def submit(self, scope: Scope, body: bytes, send: Callable[[Response], None]) -> Callable[[], None] | None:
        """Answer a POST to `/predict` in one of the next iterations of the event loop.

        Args:
            scope: the ASGI scope. Its state has the `admission`, which is released when the request is answered.
            body: the whole body.
            send: called once with the response, after this method has returned.

        Returns:
            A function that cancels the request; or None if the application has to answer it, and nothing has changed.

        """
        request = self._prepare(scope, body, send)
        if request is None:
            return None
        scope["route"] = _ROUTE
        self._request_log.begin()
        self._waiting.append(request)
        if not self._is_scheduled:
            self._is_scheduled = True
            # Two iterations later, so that a batch includes requests that are received in the next iteration. With 16
            # connections to two workers, batches of 5 become batches of 8.
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, self._run)
        return partial(self._cancel, request)

    def _prepare(self, scope: Scope, body: bytes, send: Callable[[Response], None]) -> PendingRequest | None:
        since = time.perf_counter()
        if len(body) > self._max_body_bytes:
            return None
        try:
            version, data, options = self._parse(scope, body)
        except Exception:  # noqa: BLE001 - the application raises the same error, and reports it
            return None
        if version is None:
            return None
        picture = PendingPicture(data, options.seen, since)
        return PendingRequest(scope, request_id_of(scope), picture, version, send)

    def _parse(self, scope: Scope, body: bytes) -> tuple[LoadedVersion | None, bytes, predict.PredictParameters]:
        """Return the version (None if it does not run inline), the picture file and the options, or raise an error."""
        if error := self._access_policy.check(scope):
            raise error
        content_type = b""
        for name, value in scope["headers"]:
            if name == b"content-type":
                content_type = value
            elif name == b"content-encoding":
                return None, b"", predict.DEFAULT_OPTIONS
        options = predict.parse_options(scope["query_string"])
        upload = extract_picture(body, form_options(content_type.decode("latin-1")))
        data = upload.pictures[0]
        if upload.fields:
            options = add_fields(options, upload.fields)
        version = self._predictor.find_version_for_inline(data, options.model or self._default_model, options.version)
        return version, data, options

    def _run(self) -> None:
        """Answer waiting requests, the oldest first, in one iteration of the event loop."""
        started = time.perf_counter()
        try:
            for _ in range(MAX_BATCHES):
                if not self._waiting:  # all their clients have disconnected
                    break
                self._answer_batch(
                    [self._waiting.popleft() for _ in range(min(len(self._waiting), self._batch_size()))]
                )
                if len(self._waiting) < LARGEST_BATCH or time.perf_counter() - started > _MAX_RUN_SECONDS:
                    break
        finally:  # an error must not stop the next run
            self._is_scheduled = bool(self._waiting)
            if self._is_scheduled:
                asyncio.get_running_loop().call_soon(self._run)

    def _batch_size(self) -> int:
        """Return how many pictures fit into one run, by the mean duration of recent pictures."""
        return max(1, min(LARGEST_BATCH, int(_MAX_RUN_SECONDS / self._mean_seconds)))

    def _answer_batch(self, requests: Sequence[PendingRequest]) -> None:
        """Answer up to LARGEST_BATCH requests."""
        started = time.perf_counter()
        self._answer_by_version(requests)
        seconds = (time.perf_counter() - started) / len(requests)
        self._mean_seconds += _SMOOTHING * (seconds - self._mean_seconds)

    def _answer_by_version(self, requests: Sequence[PendingRequest]) -> None:
        oldest = time.perf_counter() - self._deadline_seconds
        batches: defaultdict[int, list[PendingRequest]] = defaultdict(list)
        for request in requests:
            if request.picture.received_at < oldest:
                self._finish([request], [DeadlineExceeded(self._deadline_seconds)])
            else:
                batches[id(request.version)].append(request)
        for batch in batches.values():
            outcomes: Sequence[Prediction | Exception]
            try:
                outcomes = self._predictor.predict_inline(batch[0].version, [request.picture for request in batch])
            except Exception as error:  # noqa: BLE001 - it is sent to the clients, and logged if it is unexpected
                outcomes = [error] * len(batch)
            self._finish_or_defer(batch, outcomes)

    def _finish_or_defer(self, requests: Sequence[PendingRequest], outcomes: Sequence[Prediction | Exception]) -> None:
        """Respond, except to requests whose pictures are expensive, or need a second look."""
        finished = []
        for request, outcome in zip(requests, outcomes, strict=True):
            if isinstance(outcome, ExpensivePicture):
                task = asyncio.get_running_loop().create_task(self._answer_deferred(request))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            else:
                finished.append((request, outcome))
        self._finish([request for request, _ in finished], [outcome for _, outcome in finished])

    async def _answer_deferred(self, request: PendingRequest) -> None:
        outcome: Prediction | Exception
        try:
            outcome = await self._predictor.predict_deferred(request.version, request.picture)
        except Exception as error:  # noqa: BLE001 - as above
            outcome = error
        self._finish([request], [outcome])

    def _finish(self, requests: Sequence[PendingRequest], outcomes: Sequence[Prediction | Exception]) -> None:
        """Respond to all requests, then log them."""
        responses = [
            self._create_response(request, outcome) for request, outcome in zip(requests, outcomes, strict=True)
        ]
        for request, response in zip(requests, responses, strict=True):
            request.send(response)
        for request, outcome, response in zip(requests, outcomes, responses, strict=True):
            self._release_and_log(request, response.status_code, _unexpected_error(outcome))

    def _create_response(self, request: PendingRequest, outcome: Prediction | Exception) -> Response:
        if isinstance(outcome, Prediction):
            response = predict.prediction_response(outcome, request.scope, [request.picture.data])
        else:
            response = problems.error_response(
                outcome, request.scope, request.request_id, self._request_log.count_problem
            )
        response.raw_headers += response_headers(request.request_id, time.perf_counter() - request.picture.received_at)
        return response

    def _cancel(self, request: PendingRequest) -> None:
        """Remove a request whose client has disconnected."""
        if request in self._waiting:
            self._waiting.remove(request)
            self._release_and_log(request, CLIENT_CLOSED_REQUEST)

    def _release_and_log(self, request: PendingRequest, status: int, unexpected_error: Exception | None = None) -> None:
        request.scope["state"]["admission"].release()
        seconds = time.perf_counter() - request.picture.received_at
        self._request_log.end(
            request.scope,
            request_id=request.request_id,
            status=status,
            seconds=seconds,
            unexpected_error=unexpected_error,
        )


def _unexpected_error(outcome: Prediction | Exception) -> Exception | None:
    """Return the outcome if it is an unexpected error, which is logged with its traceback."""
    return outcome if isinstance(outcome, Exception) and not isinstance(outcome, problems.HANDLED_ERRORS) else None
