"""Limits of a connection, and malformed requests."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from starlette.responses import Response

from app.server.byte_budget import ByteBudget
from app.server.connection import MAX_HEAD_BYTES, MAX_HEADERS, MAX_URL_BYTES
from tests.app.server.echo_server import (
    POST,
    PREDICT,
    Connect,
    FakeAdmissionControl,
    FakeFastPath,
    answer,
    only_connection,
    open_connections,
    serving,
    until,
)

pytestmark = pytest.mark.anyio

UPLOAD_SECONDS = 0.2


@pytest.fixture
def admission_control() -> FakeAdmissionControl:
    admission_control = FakeAdmissionControl()
    admission_control.is_open = True
    return admission_control


@pytest.fixture
def fast_path() -> FakeFastPath:
    return FakeFastPath()


@pytest.fixture
async def connect(admission_control: FakeAdmissionControl, fast_path: FakeFastPath) -> AsyncIterator[Connect]:
    async with serving(admission_control, fast_path) as connect:
        yield connect


@pytest.fixture
async def connect_with_short_timeout(
    admission_control: FakeAdmissionControl, fast_path: FakeFastPath
) -> AsyncIterator[Connect]:
    async with serving(admission_control, fast_path, upload_seconds=UPLOAD_SECONDS) as connect:
        yield connect


async def is_closed(reader: asyncio.StreamReader) -> bool:
    return await asyncio.wait_for(reader.read(), 5) == b""


@pytest.mark.parametrize(
    "upgrade", [b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings", b"Connection: upgrade\r\nUpgrade: websocket"]
)
@pytest.mark.parametrize("request_", [POST, POST.replace(b"POST", b"PUT"), PREDICT])
async def test_an_upgrade_is_declined(
    connect: Connect, fast_path: FakeFastPath, request_: bytes, upgrade: bytes
) -> None:
    sent = request_.replace(b"Host: x", b"Host: x\r\n" + upgrade)
    for cut in (len(sent), len(sent) - 2, len(sent) - 4, 30):
        reader, writer = await connect()
        writer.write(sent[:cut])
        await asyncio.sleep(0.01)
        writer.write(sent[cut:])
        if request_ == PREDICT:
            await fast_path.answer()
        status, body = await answer(reader)
        assert (status, body.lower()) == ((405, b"method not allowed") if b"PUT" in request_ else (200, b"body"))
        writer.write(POST)  # nothing of the first request is left over
        assert await answer(reader) == (200, b"body")
        writer.close()


@pytest.mark.parametrize(("old", "new"), [(b"HTTP/1.1", b"HTTP/1.0"), (b"Upgrade\r", b"close, Upgrade\r")])
async def test_a_request_with_an_upgrade_may_close_the_connection(connect: Connect, old: bytes, new: bytes) -> None:
    reader, writer = await connect()
    writer.write(POST.replace(b"Host: x", b"Host: x\r\nConnection: Upgrade\r\nUpgrade: h2c").replace(old, new))
    assert await answer(reader) == (200, b"body")
    assert await is_closed(reader)
    writer.close()


async def test_requests_after_an_upgrade_are_answered_in_order(connect: Connect, fast_path: FakeFastPath) -> None:
    reader, writer = await connect()
    upgrade = POST.replace(b"Host: x", b"Host: x\r\nConnection: Upgrade\r\nUpgrade: h2c").replace(b"body", b"slow")
    writer.write(PREDICT + upgrade + POST)
    await fast_path.answer()
    assert [await answer(reader) for _ in range(3)] == [(200, b"BODY"), (200, b"slow"), (200, b"body")]
    assert fast_path.submitted == []
    writer.close()


@pytest.mark.parametrize(
    ("sent", "detail"),
    [
        (b"\x16\x03\x01\x02\x00rubbish\r\n\r\n", "not a valid HTTP/1.1 request"),
        (POST.replace(b"Length: 4", b"Length: 4\r\nContent-Length: 5"), "not a valid HTTP/1.1 request"),
        (b"CONNECT other:443 HTTP/1.1\r\nHost: x\r\n\r\n", "is not a proxy"),
    ],
)
async def test_a_malformed_request_is_answered_with_a_problem(connect: Connect, sent: bytes, detail: str) -> None:
    reader, writer = await connect()
    writer.write(sent)
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    assert head.startswith(b"HTTP/1.1 400")
    assert b"\r\ncontent-type: application/problem+json\r\n" in head
    problem = json.loads(await asyncio.wait_for(reader.read(), 5))  # to the end of the connection
    assert detail in problem["detail"]
    assert b"\r\nx-request-id: %s\r\n" % problem["request_id"].encode() in head
    writer.close()


@pytest.mark.parametrize("good", [[PREDICT], [POST], [POST, PREDICT], [PREDICT, POST], [POST] * 200])
@pytest.mark.parametrize("cut", [None, -3])
async def test_a_malformed_request_is_answered_after_the_requests_before_it(
    connect: Connect, fast_path: FakeFastPath, good: list[bytes], cut: int | None
) -> None:
    reader, writer = await connect()
    sent = b"".join(good) + b"rubbish\r\n\r\n"
    writer.write(sent[:cut])
    if cut is not None:
        await asyncio.sleep(0.01)
        writer.write(sent[cut:])
    for request in good:
        if request is PREDICT and request is good[0]:
            await fast_path.answer()
        assert (await answer(reader))[0] == 200
    assert (await answer(reader))[0] == 400
    assert await is_closed(reader)
    writer.close()


async def test_a_head_without_an_end_is_refused(connect: Connect) -> None:
    reader, writer = await connect()
    writer.write(b"GET /echo HTTP/1.1\r\nHost: x\r\nX-Long: ")
    for _ in range(MAX_HEAD_BYTES // 1000 + 2):
        await asyncio.sleep(0.001)
        writer.write(1000 * b"a")
    status, body = await answer(reader)
    assert status == 431
    assert "more than 65,536 bytes" in json.loads(body)["detail"]
    assert await is_closed(reader)
    writer.close()


async def test_bodies_do_not_count_towards_the_limit_of_heads(connect: Connect) -> None:
    reader, writer = await connect()
    size = 4 * MAX_HEAD_BYTES
    for _ in range(2):
        writer.write(POST.removesuffix(b"body").replace(b"Length: 4", b"Length: %d" % size) + size * b"b")
        assert await answer(reader) == (200, size * b"b")
    writer.close()


@pytest.mark.parametrize("sent", [b"", POST[:20]])
async def test_a_connection_without_a_complete_request_times_out(
    connect_with_short_timeout: Connect, sent: bytes
) -> None:
    reader, writer = await connect_with_short_timeout()
    writer.write(sent)
    if sent:
        status, body = await answer(reader)
        assert status == 408
        assert "not received completely within 0.2 seconds" in json.loads(body)["detail"]
    assert await is_closed(reader)
    writer.close()


async def test_an_incomplete_small_prediction_times_out_and_is_released(
    connect_with_short_timeout: Connect, admission_control: FakeAdmissionControl
) -> None:
    reader, writer = await connect_with_short_timeout()
    writer.write(PREDICT[:-2])
    status, body = await answer(reader)
    assert (status, admission_control.released) == (408, 1)
    assert b"was not received completely" in body
    assert await is_closed(reader)
    writer.close()


async def test_a_refused_request_without_its_whole_body_times_out(
    connect_with_short_timeout: Connect, admission_control: FakeAdmissionControl
) -> None:
    admission_control.is_open = False
    reader, writer = await connect_with_short_timeout()
    writer.write(POST.removesuffix(b"body"))
    assert await answer(reader) == (503, b"closed")
    writer.write(b"bo")
    assert await is_closed(reader)
    writer.close()


async def test_the_application_limits_the_time_for_receiving_its_body(connect_with_short_timeout: Connect) -> None:
    reader, writer = await connect_with_short_timeout()
    writer.write(POST[:-2])
    await asyncio.sleep(2 * UPLOAD_SECONDS)  # this application has no limit
    writer.write(POST[-2:])
    assert await answer(reader) == (200, b"body")
    writer.close()


async def test_the_time_of_the_answer_does_not_count_as_upload_time(
    connect_with_short_timeout: Connect, fast_path: FakeFastPath
) -> None:
    reader, writer = await connect_with_short_timeout()
    for _ in range(2):
        writer.write(PREDICT)
        await fast_path.wait_for()
        assert only_connection()._upload_timer is None
        await asyncio.sleep(2 * UPLOAD_SECONDS)
        await fast_path.answer()
        assert await answer(reader) == (200, b"BODY")
    writer.close()


async def test_a_connection_is_idle_after_the_body_of_a_refused_request(
    connect: Connect, admission_control: FakeAdmissionControl
) -> None:
    admission_control.is_open = False
    reader, writer = await connect()
    writer.write(POST.removesuffix(b"body"))
    assert await answer(reader) == (503, b"closed")
    writer.write(b"body")
    connection = only_connection()
    await until(lambda: not connection._in_request)
    assert connection.timeout_keep_alive_task is not None
    writer.close()


async def test_the_admission_is_told_when_the_request_is_complete(
    connect: Connect, admission_control: FakeAdmissionControl
) -> None:
    reader, writer = await connect()
    writer.write(POST[:-2])
    await until(lambda: admission_control.paths == ["/echo"])
    assert admission_control.received == []
    writer.write(POST[-2:])
    assert await answer(reader) == (200, b"body")
    assert admission_control.received == ["/echo"]
    writer.close()


GET = b"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("cut", [0, 20])
async def test_many_requests_in_one_write_are_answered(connect: Connect, cut: int) -> None:
    reader, writer = await connect()
    writer.write(GET[:cut])
    await asyncio.sleep(0.02)
    count = 3000  # the event loop reads a few hundred thousand bytes at once
    writer.write(GET[cut:] + (count - 1) * GET + GET[:20])
    for _ in range(count):
        assert await answer(reader) == (200, b"")
    writer.close()


async def test_the_buffer_is_limited_if_the_client_reads_no_responses(connect: Connect) -> None:
    _, writer = await connect()
    writer.write(20_000 * GET)
    await asyncio.sleep(0.1)
    connection = only_connection()
    for _ in range(50):
        writer.write(5000 * GET)
        await asyncio.sleep(0.001)
        assert len(connection._unparsed) < 2**20
        assert len(connection.pipeline) < 200
    writer.close()


@pytest.mark.parametrize(("start", "more"), [(b"0\r\n", 250 * b"a:\r\n"), (b"4;", 1000 * b"a")])
async def test_trailers_and_chunk_extensions_without_an_end_are_refused(
    connect: Connect, start: bytes, more: bytes
) -> None:
    reader, writer = await connect()
    writer.write(CHUNKED + start)
    for _ in range(MAX_HEAD_BYTES // len(more) + 10):
        writer.write(more)
        await asyncio.sleep(0.001)
    assert (await answer(reader))[0] == 431
    assert await is_closed(reader)
    writer.close()


async def test_trailers_are_ignored(connect: Connect) -> None:
    reader, writer = await connect()
    writer.write(CHUNKED + b"4\r\nbody\r\n0\r\nX-Trailer: 1\r\n\r\n" + POST)
    assert [await answer(reader) for _ in range(2)] == [(200, b"body")] * 2
    writer.close()


async def test_a_body_in_chunks_of_one_byte_is_accepted(connect: Connect) -> None:
    reader, writer = await connect()
    size = MAX_HEAD_BYTES
    writer.write(CHUNKED + size * b"1\r\nb\r\n" + b"0\r\n\r\n")
    assert await answer(reader) == (200, size * b"b")
    writer.close()


async def test_too_many_headers_are_refused(connect: Connect) -> None:
    reader, writer = await connect()
    writer.write(GET.replace(b"Host: x", b"Host: x" + (MAX_HEADERS - 1) * b"\r\na: b"))
    assert (await answer(reader))[0] == 200
    writer.write(GET.replace(b"Host: x", b"Host: x" + MAX_HEADERS * b"\r\na: b"))
    assert (await answer(reader))[0] == 431
    assert await is_closed(reader)
    writer.close()


@pytest.mark.parametrize("path", [b"/echo", b"/predict"])
@pytest.mark.parametrize("before", [0, 1, 30])
@pytest.mark.parametrize(
    ("framing", "body"),
    [
        (b"Transfer-Encoding: chunked", b"xyz\r\n"),
        (b"Transfer-Encoding: identity", b"abc"),
        (b"Content-Length: x", b""),
    ],
)
async def test_an_invalid_framing_is_answered_after_the_requests_before_it(
    connect: Connect, before: int, framing: bytes, body: bytes, path: bytes, admission_control: FakeAdmissionControl
) -> None:
    reader, writer = await connect()
    writer.write(before * GET + b"POST %s HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n%s" % (path, framing, body))
    for _ in range(before):
        assert (await answer(reader))[0] == 200
    assert (await answer(reader))[0] == 400
    assert await is_closed(reader)
    writer.close()


async def test_hundreds_of_upgrades_in_one_write_are_declined(connect: Connect) -> None:
    reader, writer = await connect()
    writer.write(600 * GET.replace(b"Host: x", b"Connection: upgrade\r\nUpgrade: h2c"))
    for _ in range(600):
        assert await answer(reader) == (200, b"")
    writer.close()


async def test_the_final_response_reaches_a_client_that_is_still_sending(connect: Connect) -> None:
    reader, writer = await connect()
    writer.write(b"rubbish\r\n\r\n")
    for _ in range(20):
        await asyncio.sleep(0.005)
        writer.write(1000 * b"x")  # a closed socket would answer with a reset
    assert (await answer(reader))[0] == 400
    assert await is_closed(reader)
    writer.close()


async def test_a_client_that_does_not_read_its_response_times_out(connect_with_short_timeout: Connect) -> None:
    reader, writer = await connect_with_short_timeout()
    writer.write(GET.replace(b"/echo", b"/long"))
    await reader.readexactly(100)
    connection = only_connection()
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    await until(lambda: connection not in connection.connections)
    writer.close()


async def test_an_idle_connection_is_closed_without_free_descriptors(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = await connect()
    writer.write(GET)
    await answer(reader)

    def fail(*_: object) -> None:
        raise OSError(24, "Too many open files")

    for name in ("select.epoll", "os.dup", "socket.dup"):
        monkeypatch.setattr(name, fail)
    only_connection().timeout_keep_alive_handler()
    assert await is_closed(reader)
    writer.close()


async def test_a_stopped_upload_is_dropped_in_favour_of_active_uploads(
    admission_control: FakeAdmissionControl, fast_path: FakeFastPath
) -> None:
    budget = ByteBudget(300_000)
    size = 150_000
    head = POST.removesuffix(b"body").replace(b"Length: 4", b"Length: %d" % size)
    async with serving(admission_control, fast_path, budget=budget) as connect:
        stopped = [await connect() for _ in range(3)]
        for _, writer in stopped:
            writer.write(head + (size - 10_000) * b"a")
            await asyncio.sleep(0.05)
        first, *others = stopped
        status, body = await answer(first[0])
        assert status == 503
        assert "holds 300,000 bytes" in json.loads(body)["detail"]
        for reader, writer in others:
            writer.write(10_000 * b"a")
            assert await answer(reader) == (200, size * b"a")
        await until(lambda: budget._total == 0)
        for _, writer in stopped:
            writer.close()


async def test_a_url_that_is_too_long_is_refused(connect: Connect) -> None:
    reader, writer = await connect()
    writer.write(GET.replace(b"/echo", b"/echo?" + (MAX_URL_BYTES - 6) * b"a"))
    assert (await answer(reader))[0] == 200
    writer.write(GET.replace(b"/echo", b"/echo?" + (MAX_URL_BYTES - 5) * b"a"))
    status, body = await answer(reader)
    assert status == 414
    assert "The URL has 8,193 bytes" in json.loads(body)["detail"]
    writer.close()


async def test_a_request_after_a_refused_one_in_the_same_write_is_answered(
    connect: Connect, admission_control: FakeAdmissionControl
) -> None:
    admission_control.is_open = False
    reader, writer = await connect()
    large = POST.removesuffix(b"body").replace(b"Length: 4", b"Length: 9000").replace(b"1.1", b"1.0")
    writer.write(POST + large + 9000 * b"b")
    assert await answer(reader) == (503, b"closed")
    assert await answer(reader) == (200, 9000 * b"b")
    writer.close()


async def test_cookies_are_ignored(
    connect: Connect, admission_control: FakeAdmissionControl, fast_path: FakeFastPath
) -> None:
    reader, writer = await connect()
    writer.write(PREDICT.replace(b"Host: x", b'Host: x\r\nCookie: a="\\"\\"'))
    await fast_path.wait_for()
    scope, _, send = fast_path.submitted.pop(0)
    assert [name for name, _ in scope["headers"]] == [b"host", b"content-length"]
    send(Response(b"seen"))
    assert await answer(reader) == (200, b"seen")
    writer.close()


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(("old", "new"), [(b"Host: x", b"Connection: close\r\nHost: x"), (b"HTTP/1.1", b"HTTP/1.0")])
async def test_an_early_response_reaches_a_client_that_is_still_sending(
    connect: Connect, old: bytes, new: bytes, *, chunked: bool
) -> None:
    """Python's urllib sends its whole body before it reads, and asks to close the connection."""
    reader, writer = await connect()
    framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: 5000000"
    head = b"PUT /echo HTTP/1.1\r\nHost: x\r\n" + framing + b"\r\n\r\n"
    writer.write(head.replace(old, new))
    for _ in range(50):
        await asyncio.sleep(0.002)
        piece = 100_000 * b"x"
        writer.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
        await writer.drain()
    if chunked:
        writer.write(b"0\r\n\r\n")
    await writer.drain()
    assert (await answer(reader))[0] == 405
    assert await is_closed(reader)
    await until(lambda: not open_connections())
    writer.close()


async def test_a_client_that_never_ends_its_request_is_closed(connect_with_short_timeout: Connect) -> None:
    reader, writer = await connect_with_short_timeout()
    writer.write(b"PUT /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 50000\r\n\r\n")
    assert (await answer(reader))[0] == 405
    assert await is_closed(reader)
    await until(lambda: not open_connections())
    writer.close()


@pytest.mark.parametrize(("length", "expected"), [(MAX_HEAD_BYTES - 20, 414), (MAX_HEAD_BYTES, 431), (10**6, 431)])
async def test_a_request_line_past_the_limit_of_heads_is_no_longer_a_url_problem(
    connect: Connect, length: int, expected: int
) -> None:
    reader, writer = await connect()
    writer.write(GET.replace(b"/echo", b"/" + (length - 1) * b"a"))
    assert (await answer(reader))[0] == expected
    writer.close()
