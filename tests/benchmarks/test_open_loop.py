import asyncio
import itertools
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import httptools
import pytest

from benchmarks import open_loop
from benchmarks.open_loop import Schedule
from benchmarks.payloads import Body

GOOD = b'HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{"digit":7}'
WRONG = b'HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{"digit":1}'
REFUSED = b"HTTP/1.1 503 Busy\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n"
RUDE = b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n"
SILENT = b""
BODY = Body("image/png", b"picture")


class Server(asyncio.Protocol):
    """Answers the requests of all connections in turn; on no answer at all, it keeps the client waiting."""

    def __init__(self, answers: Iterator[bytes], connections: list[asyncio.Transport]) -> None:
        self._answers = answers
        self._connections = connections
        self._body = b""
        self._parser = httptools.HttpRequestParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connections.append(transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        assert self._body == BODY.data
        self._body = b""
        self._transport.write(next(self._answers))


@contextmanager
def server(*answers: bytes) -> Iterator[str]:
    turn, connections = itertools.cycle(answers), list[asyncio.Transport]()
    loop = asyncio.new_event_loop()
    listening = loop.run_until_complete(loop.create_server(lambda: Server(turn, connections), "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/predict"
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    for connection in connections:
        connection.abort()
    listening.close()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


def drive(url: str, connections: int = 20) -> open_loop.OpenLoad:
    timetable = Schedule(rate=100, seconds=1, connections=connections)
    return open_loop.drive(url, BODY, timetable, expected=b'"digit":7')


@pytest.mark.slow
def test_answers_are_checked_and_counted_by_kind() -> None:
    with server(GOOD, WRONG, REFUSED, RUDE) as url:
        load = drive(url)
    assert (load.good.count, load.refused.count) == (50, 50)
    assert (load.wrong, load.without_retry_after, load.other, load.hung) == (25, 25, 0, 0)
    assert load.sent == 100
    assert load.good.milliseconds[100] >= load.good.milliseconds[50] > 0


@pytest.mark.slow
def test_requests_are_sent_while_others_wait_and_those_count_as_hung(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(open_loop, "_HUNG_AFTER_SECONDS", 0.1)
    with server(SILENT, *[GOOD] * 99) as url:
        load = drive(url)
    assert (load.good.count, load.hung) == (99, 1)


@pytest.mark.slow
def test_a_request_without_a_free_connection_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_loop, "_HUNG_AFTER_SECONDS", 0.1)
    with server(SILENT) as url:
        load = drive(url, connections=5)
    assert (load.sent, load.hung) == (5, 5)


def test_a_connection_closed_by_the_server_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_loop, "_IDLE_SECONDS", 0)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        connection = open_loop._Connection("127.0.0.1", listening.getsockname()[1], b"", [], open_loop._Counts(b""))
        with closing(connection):
            far, _ = listening.accept()
            assert connection.is_open()
            far.close()
            assert not connection.is_open()
