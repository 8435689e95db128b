"""Workers in one process, each with a server of its own: what matters to the table is who opened it."""

import asyncio
import socket
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import anyio
import pytest

from app.sharing import Sharing

pytestmark = pytest.mark.anyio


class Echo(asyncio.Protocol):
    """Says the worker's name to whatever it is sent, and shares as `app/protocol.py` does."""

    def __init__(self, worker: "Worker", *, adopted: bool = False) -> None:
        self.worker = worker
        self.passed_on = False
        self.adopted = adopted

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        if not (self.adopted and self.worker.sharing.joined):
            self.passed_on = self.worker.sharing.pass_on(transport.get_extra_info("socket").fileno())
        if self.passed_on:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        self.transport.write(self.worker.name)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.passed_on:
            self.worker.sharing.release()
            self.worker.lost += 1


class Worker:
    def __init__(self, name: bytes, folder: Path) -> None:
        self.name = name
        self.sharing = Sharing(folder)
        self.lost = 0
        self.asking: list[asyncio.StreamWriter] = []

    async def start(self) -> None:
        self.sharing.join(partial(Echo, self, adopted=True))
        self.server = await asyncio.get_running_loop().create_server(lambda: Echo(self), "127.0.0.1", 0)

    async def connect(self) -> asyncio.StreamReader:
        """Open a connection to this worker, and ask who answers."""
        reader, writer = await asyncio.open_connection(*self.server.sockets[0].getsockname())
        self.asking.append(writer)
        writer.write(b"?")
        return reader

    async def ask(self) -> bytes:
        """Do that, and give the answer."""
        reader = await self.connect()
        with anyio.fail_after(10):
            return await reader.read(1)


@pytest.fixture
async def workers(tmp_path: Path) -> AsyncIterator[list[Worker]]:
    several = [Worker(name, tmp_path) for name in (b"a", b"b", b"c")]
    for worker in several:
        await worker.start()
    yield several
    for worker in several:
        worker.server.close()
        for writer in worker.asking:
            writer.close()
            await writer.wait_closed()
    await asyncio.sleep(0.05)  # for the servers' ends of them
    for worker in several:
        worker.sharing.close()


async def test_each_gets_as_many_whoever_is_asked(workers: list[Worker]) -> None:
    answers = [await workers[0].ask() for _ in range(9)]
    assert sorted(answers) == [b"a"] * 3 + [b"b"] * 3 + [b"c"] * 3


async def test_who_loses_one_gets_the_next(workers: list[Worker]) -> None:
    answers = [await workers[0].ask() for _ in range(6)]
    workers[0].asking[answers.index(b"b")].close()
    with anyio.fail_after(10):
        while not workers[1].lost:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert await workers[2].ask() == b"b"


async def test_one_who_left_gets_nothing(workers: list[Worker], tmp_path: Path) -> None:
    workers[1].sharing.close()
    assert {await workers[0].ask() for _ in range(6)} == {b"a", b"c"}
    workers[1].sharing = Sharing(tmp_path)  # in the place that is free again, which it has not joined yet
    assert {await workers[0].ask() for _ in range(6)} == {b"a", b"c"}
    workers[1].sharing.join(partial(Echo, workers[1], adopted=True))
    assert [await workers[0].ask() for _ in range(4)] == [b"b"] * 4  # until it has caught up


async def test_one_who_stops_gets_nothing_more_and_passes_on_what_was_on_its_way(workers: list[Worker]) -> None:
    stopping = workers[1].sharing
    assert {await workers[0].ask() for _ in range(6)} == {b"a", b"b", b"c"}
    stopping.withdraw()
    stopping.join(partial(Echo, workers[1], adopted=True))  # as it does with each connection until it has joined
    assert {await workers[0].ask() for _ in range(6)} == {b"a", b"c"}
    left, right = socket.socketpair()
    with left, right:
        build = partial(Echo, workers[1], adopted=True)
        await asyncio.get_running_loop().connect_accepted_socket(build, right.dup())
        reader, writer = await asyncio.open_connection(sock=left)
        writer.write(b"?")
        with anyio.fail_after(10):
            assert await reader.read(1) in b"ac"
        writer.close()


async def test_one_who_is_not_ready_passes_all_on_if_anybody_is(tmp_path: Path) -> None:
    first, second = Worker(b"a", tmp_path), Worker(b"b", tmp_path)
    for worker in (first, second):
        worker.server = await asyncio.get_running_loop().create_server(partial(Echo, worker), "127.0.0.1", 0)
    assert [await second.ask() for _ in range(2)] == [b"b"] * 2  # nobody is
    first.sharing.join(partial(Echo, first, adopted=True))
    assert [await second.ask() for _ in range(2)] == [b"a"] * 2
    second.sharing.join(partial(Echo, second, adopted=True), holding=2)
    assert sorted([await second.ask() for _ in range(4)]) == [b"a"] * 2 + [b"b"] * 2
    for worker in (first, second):
        worker.server.close()
        for writer in worker.asking:
            writer.close()
        worker.sharing.close()


async def test_where_one_died_the_connection_stays(workers: list[Worker]) -> None:
    dead = workers[1].sharing
    asyncio.get_running_loop().remove_reader(dead._mailbox.fileno())
    dead._mailbox.close()  # all that a killed process closes, without a word to the table
    assert {await workers[0].ask() for _ in range(8)} == {b"a", b"c"}
    dead.joined = dead._listening = False


async def test_one_who_was_struck_out_and_lives_is_back_with_its_next(workers: list[Worker]) -> None:
    sharing = workers[0].sharing
    sharing._held[sharing._place] = 0
    workers[1].sharing.release()  # more than it had
    answers = [await workers[0].ask() for _ in range(6)]
    assert sorted(answers) == [b"a"] * 2 + [b"b"] * 2 + [b"c"] * 2


async def test_where_one_does_not_look_the_connection_stays(workers: list[Worker]) -> None:
    asyncio.get_running_loop().remove_reader(workers[1].sharing._mailbox.fileno())
    readers = [await workers[0].connect() for _ in range(200)]  # far more than can wait to be taken in
    reads = [asyncio.create_task(reader.read(1)) for reader in readers]
    with anyio.fail_after(10):
        while sum(read.done() for read in reads) < 120:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    for read in reads:
        read.cancel()


def test_the_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    Sharing(tmp_path).close()
    assert {path.stat().st_mode & 0o077 for path in tmp_path.iterdir()} == {0}


def test_there_are_only_so_many_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.sharing._PLACES", 2)
    held = [Sharing(tmp_path), Sharing(tmp_path)]
    with pytest.raises(OSError, match="2 workers share already"):
        Sharing(tmp_path)
    held.pop().close()
    held.append(Sharing(tmp_path))
    for each in held:
        each.close()
