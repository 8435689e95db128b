"""Generate load in an open loop: requests are due at fixed times, however fast the server is. Knows no server.

The latency of a request begins when it is due, not when it is sent. So the results include stalls of the server and of
this generator (no "coordinated omission"). A request that is due while every connection waits for an answer is counted,
but not sent.
"""

import resource
import select
import socket
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httptools
import numpy as np
from pydantic import BaseModel

from benchmarks.payloads import Body

_TICK_SECONDS = 0.001
"""The interval between two checks of clock and sockets. Waking up for each answer would cost the server 10 %."""
_IDLE_SECONDS = 1
"""A connection that was idle for longer is checked before it is used."""
_RECEIVE_BYTES = 65_536
"""The most bytes that are received at once."""
_HUNG_AFTER_SECONDS = 20
"""After the end of the run, a request without an answer for this long counts as hung."""
PERCENTILES = (50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 100.0)


class Answers(BaseModel):
    """The answers of one kind."""

    count: int
    milliseconds: dict[float, float]
    """The latency at each percentile, 100 for the slowest. Empty if there are no answers."""
    each_second: list[int]
    """The number of answers in each second of the run. Answers after its end are in `count` only."""

    @property
    def rate(self) -> float:
        """The number of answers a second."""
        return sum(self.each_second) / len(self.each_second)


class OpenLoad(BaseModel):
    """The results of an open loop."""

    offered: float
    """Requests that were due each second."""
    sent: float
    """Requests that were sent each second: fewer than offered if all connections were waiting."""
    connections: int
    late_milliseconds: float
    """The delay between due and sent, at the 99th percentile: the generator's share of the latency."""
    good: Answers
    """Status 200."""
    refused: Answers
    """Status 503."""
    wrong: int
    """Answers with status 200 that were not correct."""
    without_retry_after: int
    """Answers with status 503 without the header Retry-After."""
    other: int
    """Answers with any other status, and broken connections."""
    hung: int
    """Requests without an answer long after the end of the run."""


@dataclass
class _Counts:
    """The results of all connections so far. Times are in seconds of `time.perf_counter`."""

    expected: bytes
    answers: dict[int, list[tuple[float, float]]] = field(default_factory=lambda: {200: [], 503: []})
    """For each status: when the request was due, and the latency."""
    late: list[float] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    in_progress: int = 0

    def note(self, status: int, due: float, answer: bytes) -> None:
        if status == 200 and self.expected not in answer:
            self.faults["wrong"] += 1
        if status == 503 and b"\r\nretry-after:" not in answer.lower():
            self.faults["without_retry_after"] += 1
        if status in self.answers:
            self.answers[status].append((due, time.perf_counter() - due))
        else:
            self.faults["other"] += 1


class _Connection:
    """One connection, with at most one request in progress. After the answer, it adds itself to the idle connections.

    It implements only the parser's callback `on_message_complete`, because this generator shares the server's cores.
    """

    def __init__(self, host: str, port: int, request: bytes, idle: "list[_Connection]", counts: _Counts) -> None:
        self._socket = socket.create_connection((host, port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * len(request))
        self._socket.setblocking(False)  # noqa: FBT003 - it takes no name
        self._request = request
        self._idle = idle
        self._counts = counts
        self._busy = False
        self._due = 0.0
        self._idle_since = time.perf_counter()
        self._parser = httptools.HttpResponseParser(self)
        self._answer = b""
        idle.append(self)

    def fileno(self) -> int:
        """Return the file descriptor of the socket, for polling."""
        return self._socket.fileno()

    def is_open(self) -> bool:
        """Tell whether the server has kept the connection open. Clients check this after a connection was idle."""
        if time.perf_counter() - self._idle_since < _IDLE_SECONDS:
            return True
        try:
            return self._socket.recv(1, socket.MSG_PEEK) != b""
        except BlockingIOError:
            return True
        except ConnectionError:
            return False

    def send(self, due: float) -> None:
        """Send the request that was due at this time."""
        self._due, self._busy = due, True
        self._counts.in_progress += 1
        self._counts.late.append(time.perf_counter() - due)
        try:
            sent = self._socket.send(self._request)
        except ConnectionError:
            self._lose()
            return
        if sent < len(self._request):  # the send buffer is large enough for a whole request
            message = f"The kernel took {sent:,} bytes of a request of {len(self._request):,}."
            raise RuntimeError(message)

    def receive(self) -> None:
        """Receive and parse the available data."""
        try:
            data = self._socket.recv(_RECEIVE_BYTES)
        except ConnectionError:
            data = b""
        if not data:
            self._lose()
            return
        self._answer += data
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        self._busy = False
        self._counts.in_progress -= 1
        self._counts.note(self._parser.get_status_code(), self._due, self._answer)
        self._answer = b""
        self._idle_since = time.perf_counter()
        if self._parser.should_keep_alive():
            self._idle.append(self)
        else:
            self.close()

    def _lose(self) -> None:
        if self._busy:
            self._busy = False
            self._counts.in_progress -= 1
            self._counts.faults["other"] += 1
        elif self in self._idle:
            self._idle.remove(self)
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


@dataclass(frozen=True)
class Schedule:
    """When requests are due: `rate` a second at equal intervals, over connections that are opened before."""

    rate: float
    """Requests a second."""
    seconds: int
    connections: int


def drive(url: str, body: Body, schedule: Schedule, *, expected: bytes) -> OpenLoad:
    """Send requests when they are due. A correct answer with status 200 contains `expected`."""
    _allow_files(schedule.connections + 100)
    address, request = urlsplit(url), _http(url, body)
    counts, idle = _Counts(expected), list[_Connection]()
    with ExitStack() as stack:
        connections = {}
        for _ in range(schedule.connections):
            connection = _Connection(str(address.hostname), address.port or 80, request, idle, counts)
            connections[connection.fileno()] = stack.enter_context(closing(connection))
        poller = stack.enter_context(select.epoll())
        for number in connections:
            poller.register(number, select.EPOLLIN)
        started = time.perf_counter()
        _send_on_schedule(schedule, idle, started, lambda: _receive(poller, connections))
        deadline = time.perf_counter() + _HUNG_AFTER_SECONDS
        while counts.in_progress and time.perf_counter() < deadline:
            time.sleep(_TICK_SECONDS)
            _receive(poller, connections)
    seconds = schedule.seconds
    return OpenLoad(
        offered=schedule.rate,
        sent=len(counts.late) / seconds,
        connections=schedule.connections,
        late_milliseconds=float(np.percentile(counts.late, 99)) * 1000 if counts.late else 0,
        good=_answers(counts.answers[200], started, seconds),
        refused=_answers(counts.answers[503], started, seconds),
        wrong=counts.faults["wrong"],
        without_retry_after=counts.faults["without_retry_after"],
        other=counts.faults["other"],
        hung=counts.in_progress,
    )


def _send_on_schedule(schedule: Schedule, idle: list[_Connection], started: float, receive: Callable[[], None]) -> None:
    """Receive answers and send the due requests at every tick. Skip requests for which no connection is idle."""
    done, total = 0, round(schedule.rate * schedule.seconds)
    while done < total:
        receive()
        due = min(total, 1 + int((time.perf_counter() - started) * schedule.rate))
        for number in range(done, due):
            while idle and not idle[-1].is_open():
                idle.pop().close()
            if not idle:
                break
            idle.pop().send(started + number / schedule.rate)
        done = max(done, due)
        time.sleep(_TICK_SECONDS)


def _receive(poller: select.epoll, connections: dict[int, _Connection]) -> None:
    for number, _ in poller.poll(0, len(connections)):
        connections[number].receive()


def _answers(answers: list[tuple[float, float]], started: float, seconds: int) -> Answers:
    due, took = np.array(answers).reshape(-1, 2).T
    values = np.percentile(took, PERCENTILES) * 1000 if took.size else []
    return Answers(
        count=took.size,
        milliseconds=dict(zip(PERCENTILES, map(float, values), strict=False)),
        each_second=np.histogram(due + took - started, bins=seconds, range=(0, seconds))[0].tolist(),
    )


def _http(url: str, body: Body) -> bytes:
    address = urlsplit(url)
    head = [
        f"POST {address.path} HTTP/1.1",
        f"host: {address.netloc}",
        f"content-type: {body.content_type}",
        f"content-length: {len(body.data)}",
    ]
    return "\r\n".join([*head, "", ""]).encode() + body.data


def _allow_files(count: int) -> None:
    """Raise the limit of open files of this process, because each connection is a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))
