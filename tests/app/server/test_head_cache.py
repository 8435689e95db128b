import pytest

from app.server.head_cache import HeadCache

HEADERS = [(b"host", b"x"), (b"content-length", b"4")]
RAW = b"POST /predict?seen=true HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n"


def add(cache: HeadCache, data: bytes, headers: list[tuple[bytes, bytes]] = HEADERS) -> None:
    cache.add(data, path="/predict", query=b"seen=true", headers=headers)


def test_a_head_is_found_after_it_was_added() -> None:
    cache = HeadCache()
    assert cache.find(RAW + b"body") is None
    add(cache, RAW + b"body")
    found = cache.find(RAW + b"else")
    assert found is not None
    head, body = found
    assert (head.path, head.query, head.headers, body) == ("/predict", b"seen=true", HEADERS, b"else")


@pytest.mark.parametrize("data", [RAW, RAW + b"bod", RAW + b"body" + RAW, RAW.lower() + b"body", RAW[:-2], b""])
def test_only_exactly_one_whole_request_is_found(data: bytes) -> None:
    cache = HeadCache()
    add(cache, RAW)
    assert cache.find(data) is None


@pytest.mark.parametrize(
    ("raw", "headers"),
    [
        (RAW[:-4], HEADERS),  # incomplete
        (b"\r\n" + RAW, HEADERS),
        (RAW.replace(b"Host: x\r\n", b"Host: x\n"), HEADERS),
        (b"POST /predict HTTP/1.1\nContent-Length: 60\n\n" + RAW, [(b"content-length", b"60")]),
        (RAW.replace(b"Host: x", b"Host:\r\n x"), HEADERS),
        (RAW.replace(b"Content-Length: 4", b"A: b"), [HEADERS[0], (b"a", b"b")]),
        (
            RAW.replace(b"Content-Length: 4", b"Transfer-Encoding: chunked"),
            [(b"transfer-encoding", b"chunked"), HEADERS[0]],
        ),
        (RAW.replace(b"Host: x", b"Content-Length: 4"), [HEADERS[1], HEADERS[1]]),
        (RAW.replace(b"Host: x", b"Host: " + b"x" * 1000), [(b"host", b"x" * 1000), HEADERS[1]]),
        (RAW.replace(b"POST", b"PUT"), HEADERS),
    ],
)
def test_a_head_that_is_not_plain_is_not_cached(raw: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    cache = HeadCache()
    add(cache, raw + b"body", headers)
    assert not cache._heads


def test_the_oldest_of_too_many_heads_is_dropped() -> None:
    cache = HeadCache()
    requests = [RAW.replace(b"Host: x", b"Host: %d" % number) + b"body" for number in range(65)]
    for request in requests:
        add(cache, request)
    assert [cache.find(request) is not None for request in requests] == [False] + [True] * 64
    add(cache, requests[-1])  # again: a head is parsed again if more data follows its request
    assert [cache.find(request) is not None for request in requests] == [False] + [True] * 64
