"""No connection costs more than its share, whatever is sent over it, or is not."""

import itertools
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from tests.attack.limits import LAG_MS, WORKER_MB
from tests.attack.servers import Server, held_connections, service, stock
from tests.attack.target import UPLOAD_SECONDS, Target, send
from tests.attack.wire import Address, ask, reset_when_closed
from tests.attack.witnesses import predict, seven

pytestmark = pytest.mark.slow

_GET = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
_CHUNKED = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n"
_UPLOAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 8000000\r\n\r\n"
_MOST_BYTES = 24_000_000
_MOST_SECONDS = 2.5
_FEW_MB = 64.0
"""How much more memory one connection may have the service take, with what the allocator rounds up."""


@contextmanager
def connected(address: Address) -> Iterator[socket.socket]:
    with socket.create_connection(address, 10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reset_when_closed(connection)
        yield connection


def answers(connection: socket.socket, *, most: int | None = None, silence: float = 5) -> bytes:
    """Read until the server closes, is silent, or has given so many answers."""
    connection.settimeout(silence)
    received = bytearray()
    with suppress(OSError):
        while data := connection.recv(2**20):
            received += data
            if most is not None and received.count(b"HTTP/1.1 ") >= most and received.endswith(b"}"):
                break
    return bytes(received)


def pour(address: Address, start: bytes, unit: bytes) -> tuple[int, bool]:
    """Send `unit` over and over and read nothing, within bounds; say how many bytes went out, and if it was closed."""
    block = unit * max(1, 65_536 // len(unit))
    sent, end = 0, time.monotonic() + _MOST_SECONDS
    with connected(address) as connection:
        connection.settimeout(1)
        try:
            connection.sendall(start)
            while sent < _MOST_BYTES and time.monotonic() < end:
                with suppress(TimeoutError):  # it is not read: as good as closed
                    sent += connection.send(block)
        except ConnectionError:
            return sent, True
        with suppress(OSError):  # what was sent last may not be looked at yet
            connection.settimeout(1)
            while connection.recv(65_536):
                pass
            return sent, True
    return sent, False


@contextmanager
def at_little_cost(target: Target, most_mb: float = _FEW_MB) -> Iterator[None]:
    """See that the service takes little more memory meanwhile, and that no good request is lost."""
    target.refresh()
    target.witnesses.window()
    target.memory.window()
    yield
    window, memory = target.witnesses.window(), target.memory.window()
    assert window.small["lost"] + window.small["wrong"] + window.large["lost"] == 0
    assert memory.growth <= most_mb
    assert memory.worker <= WORKER_MB
    assert window.worst() <= LAG_MS + 4 * window.worst_reference()


@pytest.mark.parametrize("first", [0, 20])
def test_thousands_of_requests_in_one_write_are_all_answered(target: Target, first: int) -> None:
    count = 8000
    data = _GET * count
    with connected(target.server.address) as connection:
        connection.sendall(data[:first])
        time.sleep(0.1)
        with ThreadPoolExecutor(1) as thread:
            sending = thread.submit(connection.sendall, data[first:])
            received = answers(connection, most=count)
            sending.result(10)
    assert received.count(b"HTTP/1.1 200") == received.count(b"HTTP/1.1 ") == count


@pytest.mark.parametrize("protocol", [b"h2c", b"websocket"])
def test_hundreds_of_offers_in_one_write_are_all_declined(target: Target, protocol: bytes) -> None:
    count = 600
    lines_before = len(target.server.log_lines())
    with connected(target.server.address) as connection:
        offer = b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: %s\r\n\r\n" % protocol
        connection.sendall(offer * count)
        received = answers(connection, most=count)
    assert received.count(b"HTTP/1.1 200") == received.count(b"HTTP/1.1 ") == count
    assert len(target.server.log_lines()) - lines_before < 100


def test_requests_whose_answers_are_not_read_do_not_pile_up(target: Target) -> None:
    request = _GET[:-2] + b"A: " + b"a" * (64 - len(_GET) - 5) + b"\r\n\r\n"
    with at_little_cost(target):
        pour(target.server.address, b"", request)


ENDLESS = {
    "head": (b"GET / HTTP/1.1\r\n", b"a: b\r\n"),
    "header": (b"GET / HTTP/1.1\r\na: ", b"b"),
    "name": (b"GET / HTTP/1.1\r\n", b"a"),
    "target": (b"GET /", b"a"),
    "trailers": (_CHUNKED + b"0\r\n", b"a:\r\n"),
    "trailer": (_CHUNKED + b"0\r\na: ", b"b"),
    "trailers of a request that has no body": (
        b"GET /health/live HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
        b"a:\r\n",
    ),
    "body": (_CHUNKED, b"1000\r\n" + bytes(4096) + b"\r\n"),
}
"""What has to be ended by the server: how it begins, and what is sent over and over then."""

FOLLOWED = {
    "blank lines": (b"", b"\r\n"),
    "extension of a chunk": (_CHUNKED + b"1;", b"a"),
    "extensions of chunks": (_CHUNKED, b"1;a=b;c=d;e=f;g=h;i=j\r\na\r\n"),
    "tiny chunks": (_CHUNKED, b"1\r\na\r\n"),
    "body of a request that is refused": (_CHUNKED.replace(b"/predict", b"/nothing"), b"4\r\nabcd\r\n"),
    "offers": (b"", b"GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"),
}
"""What may go on for as long as a request may take, if it costs nothing."""


@pytest.mark.parametrize("name", [*ENDLESS, *FOLLOWED])
def test_what_has_no_end_costs_nothing(target: Target, name: str) -> None:
    with at_little_cost(target):
        _, closed = pour(target.server.address, *(ENDLESS | FOLLOWED)[name])
    assert closed or name in FOLLOWED


def test_uploads_that_stop_share_a_budget(target: Target) -> None:
    body = bytes(7_900_000)

    def upload(connection: socket.socket) -> None:
        connection.settimeout(2)
        with suppress(OSError):  # refused, or not read
            connection.sendall(_UPLOAD)
            connection.sendall(body)

    with at_little_cost(target, WORKER_MB), ExitStack() as stack:
        connections = [stack.enter_context(connected(target.server.address)) for _ in range(100)]
        with ThreadPoolExecutor(20) as threads:
            list(threads.map(upload, connections))
        time.sleep(0.5)
    assert_soon(lambda: send(target.server.address, predict(seven(28))) == 200)


def test_a_client_that_never_reads_is_let_go(server: Server) -> None:
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(server.address)
        connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 400)
        assert_soon(lambda: held(server) == 0, 2 * UPLOAD_SECONDS + 4)


def test_slow_heads_are_let_go(server: Server) -> None:
    with ExitStack() as stack:
        connections = [stack.enter_context(connected(server.address)) for _ in range(100)]
        assert_soon(lambda: held(server) == 100)
        end = time.monotonic() + UPLOAD_SECONDS + 2
        for byte in itertools.cycle(b"GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"):
            for connection in connections:
                with suppress(OSError):
                    connection.send(bytes((byte,)))
            if held(server) == 0:
                break
            assert time.monotonic() < end
            time.sleep(0.1)


def test_silent_connections_are_let_go_and_keep_nobody_out(server: Server) -> None:
    with ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(connected(server.address))
        assert send(server.address, predict(seven(28))) == 200
        assert_soon(lambda: held(server) == 0, UPLOAD_SECONDS + 3)


def test_a_service_without_descriptors_recovers_as_stock_does(log_folder: Path) -> None:
    descriptors = 150
    with service(log_folder, descriptors=descriptors) as ours, stock(log_folder, descriptors=descriptors) as theirs:
        with ThreadPoolExecutor(2) as threads:
            seconds, stock_seconds = threads.map(partial(until_served_again, idle=250), (ours, theirs))
    assert seconds <= stock_seconds + 2


def until_served_again(server: Server, idle: int) -> float:
    """Take all of a server's descriptors with clients that ask once and stay; say when others are served again."""
    with ExitStack() as stack:
        for _ in range(idle):
            with suppress(OSError):
                stack.enter_context(connected(server.address)).sendall(_GET)
        started = time.monotonic()
        with suppress(AssertionError):
            assert_soon(lambda: all(_is_served(server.address) for _ in range(5)), 20)
        return time.monotonic() - started


def _is_served(address: Address) -> bool:
    with suppress(OSError), socket.create_connection(address, 0.5) as connection:
        return ask(connection, _GET)[0] == 200
    return False


def held(server: Server) -> int:
    return sum(held_connections(pid, server.port) for pid in server.workers())


def assert_soon(holds: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"it did not come within {seconds} s"
        time.sleep(0.1)
