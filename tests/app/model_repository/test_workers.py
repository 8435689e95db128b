import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from app.model_repository.workers import Follow, WorkerGroup

pytestmark = pytest.mark.anyio


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


def following(names: list[str], reason: str | None = None) -> Follow:
    async def follow(name: str) -> str | None:
        names.append(name)
        return reason

    return follow


def sockets(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_every_other_worker_is_asked_and_the_own_is_not(stack: AsyncExitStack, tmp_path: Path) -> None:
    one, other, third = (WorkerGroup(tmp_path) for _ in range(3))
    asked: list[list[str]] = [[], [], []]
    reasons = (None, "it is broken", None)
    for group, names, reason in zip((one, other, third), asked, reasons, strict=True):
        await stack.enter_async_context(group.listening(following(names, reason)))
    assert await one.ask_others("softmax") == ["it is broken"]
    assert asked == [[], ["softmax"], ["softmax"]]
    assert await other.ask_others("a/ü") == []
    assert asked == [["a/ü"], ["softmax"], ["softmax", "a/ü"]]


async def test_a_worker_without_others_waits_for_none(tmp_path: Path) -> None:
    group = WorkerGroup(tmp_path)
    assert await group.ask_others("softmax") == []
    async with group.listening(following([])):
        assert await group.ask_others("softmax") == []
    assert sockets(tmp_path) == []


async def test_the_error_of_another_worker_is_a_reason(stack: AsyncExitStack, tmp_path: Path) -> None:
    async def follow(name: str) -> str | None:
        raise FileNotFoundError(name)

    one, other = WorkerGroup(tmp_path), WorkerGroup(tmp_path)
    await stack.enter_async_context(other.listening(follow))
    assert await one.ask_others("softmax") == ["FileNotFoundError: softmax"]


async def test_the_socket_of_a_dead_worker_is_removed(tmp_path: Path) -> None:
    path = tmp_path / ".worker-dead"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert path.exists()
    assert await WorkerGroup(tmp_path).ask_others("softmax") == []
    assert not path.exists()


async def test_a_worker_that_ends_while_it_follows_is_not_waited_for(tmp_path: Path) -> None:
    began = asyncio.Event()

    async def follow(_name: str) -> str | None:
        began.set()
        await asyncio.Event().wait()
        return "never"

    one, other = WorkerGroup(tmp_path), WorkerGroup(tmp_path)
    async with other.listening(follow):
        asking = asyncio.create_task(one.ask_others("softmax"))
        await began.wait()
    assert await asking == []


async def test_a_worker_that_does_not_wait_any_more_disturbs_nobody(tmp_path: Path) -> None:
    began, go_on = asyncio.Event(), asyncio.Event()

    async def follow(_name: str) -> str | None:
        began.set()
        await go_on.wait()
        return None

    one, other = WorkerGroup(tmp_path), WorkerGroup(tmp_path)
    async with other.listening(follow):
        asking = asyncio.create_task(one.ask_others("softmax"))
        await began.wait()
        asking.cancel()
        await asyncio.wait([asking])
        go_on.set()
        assert await one.ask_others("softmax") == []
        _reader, writer = await asyncio.open_unix_connection(str(sockets(tmp_path)[0]))
        writer.close()  # without a question
        assert await one.ask_others("softmax") == []


async def test_a_path_that_is_too_long_for_a_socket_is_named(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    with pytest.raises(OSError, match="Set TMPDIR to a folder for sockets, with a short path"):
        await WorkerGroup(folder).listening(following([])).__aenter__()
