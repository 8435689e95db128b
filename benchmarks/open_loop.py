"""An open loop of load: requests go out on a timetable, whatever the server does. Knows addresses and bodies only.

A request is timed from the moment it was due, not from when it was sent, so that a stall of the server, or of this
generator, is not left out of the figures ("coordinated omission"). A request that is due while every connection
is waiting for an answer is not sent, and is counted.
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
"""Between two looks at the clock and at what has come in: to wake up for each answer would cost the server a tenth."""
_IDLE_SECONDS = 1
_MOST_BYTES = 65_536
"""Received at once."""
_DEAD_AFTER_SECONDS = 20
PERCENTILES = (50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 100.0)


class Answers(BaseModel):
    """The answers of one kind."""

    count: int
    milliseconds: dict[float, float]
    """The latency at each percentile, 100 being the slowest; empty without answers."""
    each_second: list[int]
    """How many came in each second of the run; those that came after it are in `count` only."""

    @property
    def rate(self) -> float:
        """How many came a second."""
        return sum(self.each_second) / len(self.each_second)


class OpenLoad(BaseModel):
    """What came of an open loop."""

    offered: float
    """Requests that were due each second."""
    sent: float
    """Requests that were sent each second: fewer, if all connections were waiting."""
    connections: int
    late_milliseconds: float
    """How long after it was due a request was sent, at the 99th percentile: the generator's own share."""
    good: Answers
    """Status 200."""
    refused: Answers
    """Status 503."""
    wrong: int
    """Status 200 with another answer than the right one."""
    without_retry_after: int
    """Status 503 without the header that says when to come again."""
    other: int
    """Any other status, and connections that broke."""
    hung: int
    """Requests without an answer long after the end."""


@dataclass
class _Tally:
    """What the connections have found so far. Times are in seconds of `time.perf_counter`."""

    expected: bytes
    answers: dict[int, list[tuple[float, float]]] = field(default_factory=lambda: {200: [], 503: []})
    """When an answer of this status was due, and how long it took."""
    late: list[float] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    under_way: int = 0

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
    """One connection, with at most one request under way; it puts itself back among the idle ones when answered.

    The parser calls no more than `on_message_complete`: what this generator does is taken from the server's processors.
    """

    def __init__(self, host: str, port: int, request: bytes, idle: "list[_Connection]", tally: _Tally) -> None:
        self._socket = socket.create_connection((host, port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * len(request))
        self._socket.setblocking(False)  # noqa: FBT003 - it takes no name
        self._request = request
        self._idle = idle
        self._tally = tally
        self._busy = False
        self._due = 0.0
        self._idle_since = time.perf_counter()
        self._parser = httptools.HttpResponseParser(self)
        self._answer = b""
        idle.append(self)

    def fileno(self) -> int:
        """Give the number of the file that is ready when there is something to receive."""
        return self._socket.fileno()

    def is_open(self) -> bool:
        """Tell whether the server has not closed it: clients look before they send on a connection that was idle."""
        if time.perf_counter() - self._idle_since < _IDLE_SECONDS:
            return True
        try:
            return self._socket.recv(1, socket.MSG_PEEK) != b""
        except BlockingIOError:
            return True
        except ConnectionError:
            return False

    def send(self, due: float) -> None:
        """Send the request that was due then."""
        self._due, self._busy = due, True
        self._tally.under_way += 1
        self._tally.late.append(time.perf_counter() - due)
        try:
            sent = self._socket.send(self._request)
        except ConnectionError:
            self._lose()
            return
        if sent < len(self._request):  # the buffer has room for it
            message = f"The kernel took {sent:,} bytes of a request of {len(self._request):,}."
            raise RuntimeError(message)

    def receive(self) -> None:
        """Take what has come in."""
        try:
            data = self._socket.recv(_MOST_BYTES)
        except ConnectionError:
            data = b""
        if not data:
            self._lose()
            return
        self._answer += data
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        self._busy = False
        self._tally.under_way -= 1
        self._tally.note(self._parser.get_status_code(), self._due, self._answer)
        self._answer = b""
        self._idle_since = time.perf_counter()
        if self._parser.should_keep_alive():
            self._idle.append(self)
        else:
            self.close()

    def _lose(self) -> None:
        if self._busy:
            self._busy = False
            self._tally.under_way -= 1
            self._tally.faults["other"] += 1
        elif self in self._idle:
            self._idle.remove(self)
        self.close()

    def close(self) -> None:
        """Break the connection off."""
        self._socket.close()


@dataclass(frozen=True)
class Timetable:
    """When requests are due: so many a second, evenly, for so many seconds; over connections that are open before."""

    rate: float
    seconds: int
    connections: int


def drive(url: str, body: Body, timetable: Timetable, *, expected: bytes) -> OpenLoad:
    """Send requests as they become due. Every answer with status 200 must contain `expected`."""
    _allow_files(timetable.connections + 100)
    address, request = urlsplit(url), _http(url, body)
    tally, idle = _Tally(expected), list[_Connection]()
    with ExitStack() as stack:
        connections = {}
        for _ in range(timetable.connections):
            connection = _Connection(str(address.hostname), address.port or 80, request, idle, tally)
            connections[connection.fileno()] = stack.enter_context(closing(connection))
        poller = stack.enter_context(select.epoll())
        for number in connections:
            poller.register(number, select.EPOLLIN)
        started = time.perf_counter()
        _follow(timetable, idle, started, lambda: _receive(poller, connections))
        deadline = time.perf_counter() + _DEAD_AFTER_SECONDS
        while tally.under_way and time.perf_counter() < deadline:
            time.sleep(_TICK_SECONDS)
            _receive(poller, connections)
    seconds = timetable.seconds
    return OpenLoad(
        offered=timetable.rate,
        sent=len(tally.late) / seconds,
        connections=timetable.connections,
        late_milliseconds=float(np.percentile(tally.late, 99)) * 1000 if tally.late else 0,
        good=_answers(tally.answers[200], started, seconds),
        refused=_answers(tally.answers[503], started, seconds),
        wrong=tally.faults["wrong"],
        without_retry_after=tally.faults["without_retry_after"],
        other=tally.faults["other"],
        hung=tally.under_way,
    )


def _follow(timetable: Timetable, idle: list[_Connection], started: float, receive: Callable[[], None]) -> None:
    """Receive and send, at every tick of the clock; what is due and finds no idle connection is passed over."""
    done, total = 0, round(timetable.rate * timetable.seconds)
    while done < total:
        receive()
        due = min(total, 1 + int((time.perf_counter() - started) * timetable.rate))
        for number in range(done, due):
            while idle and not idle[-1].is_open():
                idle.pop().close()
            if not idle:
                break
            idle.pop().send(started + number / timetable.rate)
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
    """Raise the number of files that this process may have open, as each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))
