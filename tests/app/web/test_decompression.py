import asyncio
import gzip
import zlib

import pytest
from fastapi import Request
from httpx import ASGITransport, AsyncClient

from app.errors import DeadlineExceeded, MalformedRequest, TooLarge, UnsupportedBody
from app.web import problems
from app.web.decompression import BodyReader, decompress
from tests.app.web.test_request_body import application

APP = application()
ENCODERS = {"gzip": gzip.compress, "deflate": zlib.compress}


@pytest.mark.parametrize("encoding", ENCODERS)
def test_a_compressed_body_is_decompressed(encoding: str) -> None:
    for data in (b"", b"a", b"images" * 1000):
        assert decompress(ENCODERS[encoding](data), encoding, limit=10_000) == data


@pytest.mark.parametrize("encoding", ENCODERS)
def test_a_body_that_is_not_valid_in_its_encoding_is_malformed(encoding: str) -> None:
    body = ENCODERS[encoding](b"images" * 1000)
    for broken in (b"", b"images", body[:-1], body[:20], body + b"x", bytes(1000)):
        with pytest.raises(MalformedRequest, match=encoding):
            decompress(broken, encoding, limit=10_000)


@pytest.mark.parametrize("encoding", ENCODERS)
def test_the_size_after_decompression_is_limited_exactly(encoding: str) -> None:
    body = ENCODERS[encoding](bytes(10_000))
    assert len(decompress(body, encoding, limit=10_000)) == 10_000
    with pytest.raises(TooLarge, match="9,999"):
        decompress(body, encoding, limit=9_999)


def test_decompression_of_a_bomb_stops_at_the_limit() -> None:
    with pytest.raises(TooLarge):
        decompress(gzip.compress(bytes(100_000_000), compresslevel=1), "gzip", limit=1000)


@pytest.mark.anyio
async def test_the_content_encoding_selects_the_decompression() -> None:
    app = application()
    app.state.metrics = FakeMetrics()
    bodies = BodyReader(max_bytes=1000, deadline_seconds=10)

    @app.post("/v2/size")
    async def size(request: Request) -> int:
        request.state.request_id = "r"
        async with bodies.read(request) as body:
            return len(body)

    for class_ in (MalformedRequest, TooLarge, UnsupportedBody):
        app.add_exception_handler(class_, problems.handle)
    async with AsyncClient(transport=ASGITransport(app=app), base_url="http://service") as client:

        async def post(body: bytes, encoding: str) -> int:
            response = await client.post("/v2/size", content=body, headers={"content-encoding": encoding})
            return response.json() if response.status_code == 200 else -response.status_code

        assert await post(b"abc", "") == 3
        assert await post(b"abc", "identity") == 3
        assert await post(gzip.compress(bytes(900)), "GZip") == 900
        assert await post(gzip.compress(bytes(1001)), "gzip") == -413
        assert await post(zlib.compress(b"abc"), "gzip") == -400
        assert await post(b"abc", "br") == -415
        assert await post(gzip.compress(b"abc"), "gzip, gzip") == -415


class FakeMetrics:
    def count_problem(self, reason: str) -> None:
        pass


def sent(body: bytes, encoding: str = "identity") -> Request:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body}

    headers = [(b"content-encoding", encoding.encode())]
    return Request({"type": "http", "headers": headers, "app": APP}, receive)


@pytest.mark.anyio
@pytest.mark.parametrize("large", [sent(bytes(100_000)), sent(gzip.compress(bytes(100_000)), "gzip")])
async def test_large_bodies_wait_for_each_other_and_small_bodies_do_not_wait(large: Request) -> None:
    bodies = BodyReader(max_bytes=10**6, deadline_seconds=0.1)

    async def hold() -> None:
        async with bodies.read(sent(bytes(100_000))):
            await asyncio.Event().wait()

    held = [asyncio.create_task(hold()) for _ in range(2)]
    await asyncio.sleep(0)
    async with bodies.read(sent(b"small")) as body:
        assert body == b"small"
    with pytest.raises(DeadlineExceeded):
        async with bodies.read(large):
            pass
    assert [type(end) for end in await asyncio.gather(*held, return_exceptions=True)] == [DeadlineExceeded] * 2
    async with bodies.read(large) as body:
        assert len(body) == 100_000
