"""Admission by the connection: which requests it admits, and how it answers refused requests."""

from collections.abc import AsyncIterator

import anyio
import pytest

from app.server.fast_path_connection import FastPathConnection
from tests.app.server.echo_server import POST, Connect, FakeAdmissionControl, FakeFastPath, answer, serving, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def admission_control() -> FakeAdmissionControl:
    return FakeAdmissionControl()


@pytest.fixture
async def connect(admission_control: FakeAdmissionControl) -> AsyncIterator[Connect]:
    async with serving(admission_control, FakeFastPath()) as connect:
        yield connect


async def test_a_refused_client_can_send_again(connect: Connect, admission_control: FakeAdmissionControl) -> None:
    reader, writer = await connect()
    for admission_control.is_open, expected in (
        (False, (503, b"closed")),
        (True, (200, b"body")),
        (False, (503, b"closed")),
    ):
        writer.write(POST)
        assert await answer(reader) == expected
    writer.close()


async def test_the_body_of_a_refused_request_is_discarded(
    connect: Connect, admission_control: FakeAdmissionControl
) -> None:
    reader, writer = await connect()
    head = POST.replace(b"Content-Length: 4", b"Content-Length: 300000").removesuffix(b"body")
    writer.write(head + b"GET /" * 20_000)
    assert await answer(reader) == (503, b"closed")
    admission_control.is_open = True
    writer.write(b"GET /" * 40_000 + POST)
    assert await answer(reader) == (200, b"body")
    writer.close()


async def test_responses_have_the_order_of_the_requests(
    connect: Connect, admission_control: FakeAdmissionControl
) -> None:
    reader, writer = await connect()
    writer.write(POST * 3)
    assert [await answer(reader) for _ in range(3)] == [(503, b"closed")] * 3
    admission_control.is_open = True
    writer.write(POST * 3)
    assert [await answer(reader) for _ in range(3)] == [(200, b"body")] * 3
    assert len(admission_control.paths) == 4  # the second and third are pipelined, so the application admits them
    writer.close()


async def test_a_request_after_a_refused_one_is_answered_after_it(
    connect: Connect, admission_control: FakeAdmissionControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    admit = admission_control.admit
    monkeypatch.setattr(
        admission_control, "admit", lambda scope: (admit(scope), setattr(admission_control, "is_open", True))[0]
    )
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
async def test_requests_that_are_not_plain_posts_are_left_to_the_application(
    connect: Connect, admission_control: FakeAdmissionControl, request_: bytes
) -> None:
    reader, writer = await connect()
    writer.write(request_)
    status, _ = await answer(reader)
    assert status in (200, 400, 404)
    assert admission_control.paths == []
    writer.close()


async def test_expect_100_continue_is_answered_before_the_body(connect: Connect) -> None:
    reader, writer = await connect()
    writer.write(POST.removesuffix(b"body").replace(b"Host: x", b"Host: x\r\nExpect: 100-continue"))
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
    writer.write(b"body")
    assert await answer(reader) == (200, b"body")
    writer.close()


async def test_the_admission_sees_the_path_without_the_query(
    connect: Connect, admission_control: FakeAdmissionControl
) -> None:
    reader, writer = await connect()
    writer.write(POST.replace(b"/echo", b"/echo?model=softmax"))
    await answer(reader)
    assert admission_control.paths == ["/echo"]
    writer.close()


async def test_refusals_are_written_after_all_data_is_read(
    connect: Connect, admission_control: FakeAdmissionControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    monkeypatch.setattr(FastPathConnection, "_write_refusal", lambda self, *_: written.append(self.url))
    written_before: list[int] = []
    admit = admission_control.admit
    monkeypatch.setattr(
        admission_control, "admit", lambda scope: (written_before.append(len(written)), admit(scope))[1]
    )
    _, writer = await connect()
    writer.write(POST * 5)
    await until(lambda: len(written) >= 5)
    assert written_before == [0] * 5
    writer.close()


async def test_a_disconnect_before_the_response_does_not_affect_others(
    connect: Connect, admission_control: FakeAdmissionControl
) -> None:
    _, writer = await connect()
    writer.write(POST)
    writer.transport.abort()
    with anyio.fail_after(10):
        reader, writer = await connect()
        writer.write(POST)
        assert await answer(reader) == (503, b"closed")
    writer.close()
