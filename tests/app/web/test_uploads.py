import gzip
import time
import zlib
from collections.abc import Sequence

import pytest
from fastapi import Request
from starlette.types import Message

from app.errors import MalformedRequest, TooLarge, UnsupportedBody
from app.web.uploads import read_picture, read_pictures
from tests.app.turns import Steps
from tests.app.web.test_request_body import application

pytestmark = pytest.mark.anyio

FORM = "multipart/form-data; boundary=b"


def request(content_type: str, *chunks: bytes, length: int | None = None, encoding: str = "") -> Request:
    """Create a request whose body is received in these chunks."""
    messages: list[Message] = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive() -> Message:
        return messages.pop(0)

    headers = [(b"content-type", content_type.encode()), (b"content-encoding", encoding.encode())]
    if length is not None:
        headers.append((b"content-length", str(length).encode()))
    return Request({"type": "http", "method": "POST", "headers": headers, "app": application()}, receive)


def form(parts: Sequence[tuple[str, bytes]]) -> bytes:
    lines = [
        b'--b\r\nContent-Disposition: form-data; name="%s"; filename="../x"\r\n\r\n%s\r\n' % (name.encode(), data)
        for name, data in parts
    ]
    return b"".join(lines) + b"--b--\r\n"


@pytest.mark.parametrize("content_type", ["image/png", "IMAGE/PNG", "image/png; q=1", "application/octet-stream", ""])
async def test_a_raw_body_is_the_picture(content_type: str) -> None:
    upload = await read_picture(request(content_type, b"pic", b"ture"), max_bytes=7)
    assert upload == ([b"picture"], ())


async def test_a_form_is_parsed_however_it_is_split() -> None:
    body = form([("note", b"kept"), ("file", b"pic\r\n--ture"), ("model", b" softmax\r\n")])
    for cut in range(len(body)):
        upload = await read_picture(request(FORM, body[:cut], body[cut:]), max_bytes=1000)
        assert upload == ([b"pic\r\n--ture"], [("note", "kept"), ("model", "softmax")])


async def test_only_the_beginning_of_a_field_is_kept() -> None:
    body = form([("file", b"1"), ("note", 5000 * b"a"), ("bytes", b"\xff")])
    (_, note), (_, bytes_) = (await read_picture(request(FORM, body), max_bytes=10_000)).fields
    assert note == 200 * "a"
    assert bytes_ == "\N{REPLACEMENT CHARACTER}"


async def test_the_files_of_a_form_keep_their_order() -> None:
    body = form([("file", b"1"), ("other", b"x"), ("file", b"2"), ("file", b"")])
    upload = await read_pictures(request(FORM, body), max_bytes=1000, max_files=3)
    assert upload == ([b"1", b"2", b""], [("other", "x")])


@pytest.mark.parametrize(
    "body", [b"", b"rubbish", form([("file", b"1")])[:-4], b"--b\r\nno header\r\n\r\nx\r\n--b--\r\n"]
)
async def test_a_form_that_cannot_be_parsed_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedRequest):
        await read_picture(request(FORM, body), max_bytes=1000)


async def test_unsupported_content_types_are_refused_with_their_name() -> None:
    with pytest.raises(UnsupportedBody, match="'application/json'"):
        await read_picture(request("application/json", b"{}"), max_bytes=1000)
    with pytest.raises(UnsupportedBody, match="'image/png'"):
        await read_pictures(request("image/png", b"1"), max_bytes=1000, max_files=3)


async def test_a_form_without_a_file_names_its_parts() -> None:
    with pytest.raises(MalformedRequest, match=r"no part named 'file'. It has 'image', 'a{50}'\."):
        await read_picture(request(FORM, form([("image", b"1"), ("a" * 100, b"")])), max_bytes=1000)
    with pytest.raises(MalformedRequest, match=r"no part named 'file'\. Send"):
        await read_pictures(request(FORM, form([])), max_bytes=1000, max_files=3)


@pytest.mark.parametrize("content_type", ["image/png", "application/octet-stream", ""])
async def test_a_form_under_another_type_is_named(content_type: str) -> None:
    for body in (
        form([("file", b"1")]),
        form([("file", b"1")]).replace(b"Content-Disposition", b"content-disposition"),
    ):
        with pytest.raises(UnsupportedBody, match=r"The body is a form, but"):
            await read_picture(request(content_type, body), max_bytes=1000)


async def test_the_type_that_curl_sends_by_default_is_explained() -> None:
    with pytest.raises(UnsupportedBody, match=r"urlencoded'.*--data-binary"):
        await read_picture(request("application/x-www-form-urlencoded", b"1"), max_bytes=1000)


async def test_a_compressed_body_is_decompressed() -> None:
    for content_type, body in (("image/png", b"picture"), ("", b"picture"), (FORM, form([("file", b"picture")]))):
        for encoding, compressed in (("gzip", gzip.compress(body)), ("deflate", zlib.compress(body))):
            sent = request(content_type, compressed, encoding=encoding)
            assert (await read_picture(sent, max_bytes=1000)).pictures == [b"picture"]
    batch = request(FORM, gzip.compress(form([("file", b"1"), ("file", b"2")])), encoding="gzip")
    assert (await read_pictures(batch, max_bytes=1000, max_files=2)).pictures == [b"1", b"2"]
    with pytest.raises(TooLarge, match="decompressed body"):
        await read_picture(request("image/png", gzip.compress(bytes(1001)), encoding="gzip"), max_bytes=1000)
    with pytest.raises(MalformedRequest, match="content encoding 'gzip'"):
        await read_picture(request("image/png", b"picture", encoding="gzip"), max_bytes=1000)
    with pytest.raises(UnsupportedBody, match="'br'"):
        await read_picture(request("image/png", b"picture", encoding="br"), max_bytes=1000)


async def test_a_form_with_too_many_parts_is_malformed() -> None:
    body = form([("note", b"")] * 60 + [("file", b"1")])
    assert (await read_picture(request(FORM, body), max_bytes=100_000)).pictures == [b"1"]
    with pytest.raises(MalformedRequest, match="segment"):
        await read_picture(request(FORM, form([("note", b"")] * 200)), max_bytes=100_000)


PARTIAL_BOUNDARIES = (b"\r\n--", b"\r\n--" + b"b" * 59, b"-", b"\r", b"b", b"b" * 59)


@pytest.mark.alone
@pytest.mark.parametrize("filling", PARTIAL_BOUNDARIES)
async def test_parsing_a_large_form_does_not_block_the_event_loop(filling: bytes) -> None:
    data = filling * (4_000_000 // len(filling)) + b"c"
    body = (
        form([("file", data)]).replace(b"--b\r\n", b"--%s\r\n" % (b"b" * 60)).replace(b"--b--", b"--%s--" % (b"b" * 60))
    )
    started = time.thread_time()
    assert body.find(b"z" * 60 + b"y") < 0
    for _ in range(10):
        bytearray(body)
    reference = time.thread_time() - started
    steps = Steps(
        read_pictures(request(f"multipart/form-data; boundary={'b' * 60}", body), max_bytes=10**7, max_files=3)
    )
    assert (await steps).pictures == [data]
    assert steps.longest < max(reference, 0.01)


async def test_a_boundary_that_is_too_long_is_malformed() -> None:
    with pytest.raises(MalformedRequest, match="71 characters"):
        await read_picture(request(f"multipart/form-data; boundary={'b' * 71}", b""), max_bytes=1000)
