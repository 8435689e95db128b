"""Requests at the door: which are asked about there, and what becomes of those that are refused."""

from collections.abc import AsyncIterator

import anyio
import pytest

from app.protocol import Protocol
from tests.app.connection import POST, Connect, Door, Express, answer, serving, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
async def connect(door: Door) -> AsyncIterator[Connect]:
    async with serving(door, Express()) as connect:
        yield connect


async def test_the_refused_are_answered_and_may_ask_again(connect: Connect, door: Door) -> None:
    reader, writer = await connect()
    for door.is_open, expected in ((False, (503, b"closed")), (True, (200, b"body")), (False, (503, b"closed"))):
        writer.write(POST)
        assert await answer(reader) == expected
    writer.close()


async def test_the_body_of_a_refused_request_is_passed_over(connect: Connect, door: Door) -> None:
    reader, writer = await connect()
    head = POST.replace(b"Content-Length: 4", b"Content-Length: 300000").removesuffix(b"body")
    writer.write(head + b"GET /" * 20_000)
    assert await answer(reader) == (503, b"closed")
    door.is_open = True
    writer.write(b"GET /" * 40_000 + POST)
    assert await answer(reader) == (200, b"body")
    writer.close()


async def test_answers_come_in_the_order_of_the_requests(connect: Connect, door: Door) -> None:
    reader, writer = await connect()
    writer.write(POST * 3)
    assert [await answer(reader) for _ in range(3)] == [(503, b"closed")] * 3
    door.is_open = True
    writer.write(POST * 3)
    assert [await answer(reader) for _ in range(3)] == [(200, b"body")] * 3
    assert len(door.asked) == 4  # the second and third wait for the first, which is out of the ordinary
    writer.close()


async def test_a_request_on_the_heels_of_a_refused_one_is_answered_after_it(
    connect: Connect, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter = door.enter
    monkeypatch.setattr(door, "enter", lambda scope: (enter(scope), setattr(door, "is_open", True))[0])
    reader, writer = await connect()
    writer.write(POST + POST.replace(b"body", b"slow") + POST)
    assert [await answer(reader) for _ in range(3)] == [(503, b"closed"), (200, b"slow"), (200, b"body")]
    writer.close()


@pytest.mark.parametrize(
    "request_",
    [
        POST.replace(b"POST", b"GET"),
        POST.replace(b"1.1", b"1.0"),
        POST.replace(b"/echo", b"/%65cho"),
        POST.replace(b"/echo", b"http://x/echo"),
        POST.replace(b"Host: x", b"Host: x\r\nConnection: close"),
    ],
)
async def test_what_is_out_of_the_ordinary_is_the_applications_to_refuse(
    connect: Connect, door: Door, request_: bytes
) -> None:
    reader, writer = await connect()
    writer.write(request_)
    status, _ = await answer(reader)
    assert status in (200, 400, 404)
    assert door.asked == []
    writer.close()


async def test_who_asks_before_sending_a_body_is_told(connect: Connect) -> None:
    reader, writer = await connect()
    writer.write(POST.removesuffix(b"body").replace(b"Host: x", b"Host: x\r\nExpect: 100-continue"))
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
    writer.write(b"body")
    assert await answer(reader) == (200, b"body")
    writer.close()


async def test_the_path_is_told_without_what_is_asked_of_it(connect: Connect, door: Door) -> None:
    reader, writer = await connect()
    writer.write(POST.replace(b"/echo", b"/echo?model=softmax"))
    await answer(reader)
    assert door.asked == ["/echo"]
    writer.close()


async def test_no_answer_is_written_while_there_is_more_to_read(
    connect: Connect, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    monkeypatch.setattr(Protocol, "_refuse", lambda self, *_: written.append(self.url))
    before: list[int] = []
    refuse = door.enter
    monkeypatch.setattr(door, "enter", lambda scope: (before.append(len(written)), refuse(scope))[1])
    _, writer = await connect()
    writer.write(POST * 5)
    await until(lambda: len(written) >= 5)
    assert before == [0] * 5
    writer.close()


async def test_who_left_before_the_answer_harms_nobody(connect: Connect, door: Door) -> None:
    _, writer = await connect()
    writer.write(POST)
    writer.transport.abort()
    with anyio.fail_after(10):
        reader, writer = await connect()
        writer.write(POST)
        assert await answer(reader) == (503, b"closed")
    writer.close()
