"""Attacks on connections: many requests at once, endless requests, clients that do not read, and slow clients.

Each attack takes a server, and returns its observation and whether that is the expected behaviour. Bytes and time are
bounded.
"""

import itertools
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial

from tests.attack.limits import CONNECTION_MB, WORKER_MB
from tests.attack.servers import Server, peers
from tests.attack.target import UPLOAD_SECONDS
from tests.attack.wire import Address, ask, reset_when_closed

GET = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
_POST = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
_CHUNKED = _POST + b"Transfer-Encoding: chunked\r\n\r\n"
_UPLOAD = _POST + b"Content-Length: 8000000\r\n\r\n"
_UNREAD = GET[:-2] + b"A: " + b"a" * 21 + b"\r\n\r\n"  # 64 bytes: reads end between two
_MOST_BYTES = 24_000_000
_MOST_SECONDS = 1.5
_LET_GO_SECONDS = 2.0
"""The largest delay after UPLOAD_SECONDS until a connection is closed."""


@dataclass(frozen=True)
class Attack:
    """An attack, and its limits for memory and lag."""

    run: Callable[[Server], tuple[str, bool]]
    most_mb: float = CONNECTION_MB
    most_lag_ms: float = 250.0
    """More than for one bomb: the loop reads 256 kB at once, and that is thousands of small requests."""


@contextmanager
def connected(address: Address, *, receive_buffer: int | None = None) -> Iterator[socket.socket]:
    """Open a connection that ends with a reset, so that it leaves nothing in the kernel."""
    with socket.socket() as connection:
        if receive_buffer is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reset_when_closed(connection)
        connection.settimeout(10)
        connection.connect(address)
        yield connection


def _in_one_write(request: bytes, count: int, server: Server, *, after: int = 0) -> tuple[str, bool]:
    """Send `count` requests at once, but for the first bytes of the first, and read all answers."""
    data = request * count
    with connected(server.address) as connection, ThreadPoolExecutor(1) as thread:
        connection.sendall(data[:after])
        time.sleep(0.1)
        sending = thread.submit(connection.sendall, data[after:])
        received = _read_answers(connection, count)
        with suppress(OSError):
            sending.result(10)
    answered, good = received.count(b"HTTP/1.1 "), received.count(b"HTTP/1.1 200")
    return f"{good} of {count} answered", good == answered == count


def _read_answers(connection: socket.socket, count: int) -> bytes:
    connection.settimeout(5)
    received = bytearray()
    with suppress(OSError):
        while received.count(b"HTTP/1.1 ") < count or not received.endswith(b"}"):
            if not (data := connection.recv(2**20)):
                break
            received += data
    return bytes(received)


def _pour(
    start: bytes, unit: bytes, server: Server, *, must_close: bool, most_seconds: float = _MOST_SECONDS
) -> tuple[str, bool]:
    """Send `unit` repeatedly, and read nothing."""
    block = unit * max(1, 32_768 // len(unit))
    sent, end = 0, time.monotonic() + most_seconds
    with connected(server.address) as connection:
        port = connection.getsockname()[1]
        connection.settimeout(0.5)
        with suppress(ConnectionError):
            connection.sendall(start)
            while sent < _MOST_BYTES and time.monotonic() < end:
                with suppress(TimeoutError):  # it is not read
                    sent += connection.send(block)
        closed = _come_true(lambda: port not in peers(server.port), 1.0 if must_close else 0.0)
    return f"{sent / 1e6:.1f} MB sent, {'closed' if closed else 'open'}", closed or not must_close


def _stopped_uploads(server: Server) -> tuple[str, bool]:
    """Begin a hundred uploads, and stop just before their end."""
    body = bytes(7_900_000)
    sent = 0

    def upload(connection: socket.socket) -> int:
        connection.settimeout(1)
        with suppress(OSError):  # refused, or not read
            connection.sendall(_UPLOAD)
            connection.sendall(body)
            return 1
        return 0

    with ExitStack() as stack:
        connections = [stack.enter_context(connected(server.address)) for _ in range(100)]
        with ThreadPoolExecutor(20) as threads:
            sent = sum(threads.map(upload, connections))
        time.sleep(0.5)
    return f"{sent} of 100 uploads taken", True


def _never_reading(server: Server) -> tuple[str, bool]:
    """Request megabytes, and read none of them."""
    with connected(server.address) as connection:  # the document is made when it is first asked for
        ask(connection, b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n")
    with connected(server.address, receive_buffer=4096) as connection:
        connection.settimeout(2)
        with suppress(OSError):
            connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 400)
        return _let_go(server, [connection], 2 * UPLOAD_SECONDS + _LET_GO_SECONDS)


def _slow_heads(server: Server) -> tuple[str, bool]:
    """Send a hundred heads, a byte of each every tenth of a second."""
    with ExitStack() as stack:
        connections = [stack.enter_context(connected(server.address)) for _ in range(100)]
        letters = itertools.chain(b"GET /", itertools.repeat(97))

        def send_byte() -> None:
            byte = bytes((next(letters),))
            for connection in connections:
                with suppress(OSError):
                    connection.send(byte)

        return _let_go(server, connections, UPLOAD_SECONDS + _LET_GO_SECONDS, meanwhile=send_byte)


def _silent(server: Server) -> tuple[str, bool]:
    """Open three hundred connections, and send nothing."""
    with ExitStack() as stack:
        connections = [stack.enter_context(connected(server.address)) for _ in range(300)]
        return _let_go(server, connections, UPLOAD_SECONDS + _LET_GO_SECONDS)


def _let_go(
    server: Server, connections: list[socket.socket], seconds: float, meanwhile: Callable[[], object] = lambda: None
) -> tuple[str, bool]:
    """Wait until a server holds none of these connections any more."""
    ports = {connection.getsockname()[1] for connection in connections}

    def none_held() -> bool:
        meanwhile()
        return not ports & peers(server.port)

    started = time.monotonic()
    _come_true(lambda: ports <= peers(server.port), 1.0)  # each has been accepted
    let_go = _come_true(none_held, seconds)
    held = len(ports & peers(server.port))
    return f"{held} of {len(ports)} held after {time.monotonic() - started:.1f} s", let_go


def _come_true(holds: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not (held := holds()) and time.monotonic() < end:
        time.sleep(0.1)
    return held


def until_served_again(server: Server, idle: int, most_seconds: float = 15) -> float:
    """Use up all file descriptors of a server with idle clients. Return the seconds until other clients are served."""
    with ExitStack() as stack:
        for _ in range(idle):
            with suppress(OSError):
                stack.enter_context(connected(server.address)).sendall(GET)
        started = time.monotonic()
        _come_true(lambda: all(_is_served(server.address) for _ in range(5)), most_seconds)
        return time.monotonic() - started


def _is_served(address: Address) -> bool:
    with suppress(OSError), socket.create_connection(address, 0.5) as connection:
        return ask(connection, GET)[0] == 200
    return False


_ENDLESS = {
    "head": (b"GET / HTTP/1.1\r\n", b"a: b\r\n"),
    "header": (b"GET / HTTP/1.1\r\na: ", b"b"),
    "name of a header": (b"GET / HTTP/1.1\r\n", b"a"),
    "target": (b"GET /", b"a"),
    "trailers": (_CHUNKED + b"0\r\n", b"a:\r\n"),
    "trailer": (_CHUNKED + b"0\r\na: ", b"b"),
    "trailers of a GET": (GET[:-2] + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"a:\r\n"),
}
"""Requests that the server has to end: the beginning, and the part that is sent repeatedly."""
_FOLLOWED = {
    "blank lines": (b"", b"\r\n"),
    "body": (_CHUNKED, b"1000\r\n" + bytes(4096) + b"\r\n"),
    "extension of a chunk": (_CHUNKED + b"1;", b"a"),
    "extensions of chunks": (_CHUNKED, b"1;a=b;c=d;e=f;g=h;i=j\r\na\r\n"),
    "tiny chunks": (_CHUNKED, b"1\r\na\r\n"),
    "body that is refused": (_CHUNKED.replace(b"/predict", b"/nothing"), b"4\r\nabcd\r\n"),
    "offers without reading": (b"", b"GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"),
}
"""Requests that may go on for as long as the deadline, if they cost nothing."""

ATTACKS: Mapping[str, Attack] = {
    "4,000 requests in one write": Attack(partial(_in_one_write, GET, 4000)),
    "4,000 requests behind half of one": Attack(partial(_in_one_write, GET, 4000, after=20)),
    "600 offers of h2c in one write": Attack(
        partial(_in_one_write, GET[:-2] + b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\n", 600)
    ),
    "600 offers of websocket in one write": Attack(
        partial(_in_one_write, GET[:-2] + b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n", 600)
    ),
    **{f"endless {name}": Attack(partial(_pour, *what, must_close=True)) for name, what in _ENDLESS.items()},
    **{f"endless {name}": Attack(partial(_pour, *what, must_close=False)) for name, what in _FOLLOWED.items()},
    "requests without reading": Attack(partial(_pour, b"", _UNREAD, must_close=False, most_seconds=3.0)),
    "100 uploads that stop": Attack(_stopped_uploads, most_mb=WORKER_MB),
    "a client that never reads": Attack(_never_reading),
    "100 slow heads": Attack(_slow_heads),
    "300 silent connections": Attack(_silent),
}
