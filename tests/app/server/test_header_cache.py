import pytest

from app.server.header_cache import HeaderCache

HEADERS = [(b"host", b"x"), (b"content-length", b"4")]
RAW = b"POST /predict?seen=true HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n"


def learn(heads: HeaderCache, data: bytes, headers: list[tuple[bytes, bytes]] = HEADERS) -> None:
    heads.add(data, path="/predict", query=b"seen=true", headers=headers)


def test_a_head_is_heads_once_it_was_parsed() -> None:
    heads = HeaderCache()
    assert heads.find(RAW + b"body") is None
    learn(heads, RAW + b"body")
    found = heads.find(RAW + b"else")
    assert found is not None
    head, body = found
    assert (head.path, head.query, head.headers, body) == ("/predict", b"seen=true", HEADERS, b"else")


@pytest.mark.parametrize("data", [RAW, RAW + b"bod", RAW + b"body" + RAW, RAW.lower() + b"body", RAW[:-2], b""])
def test_all_but_one_whole_request_is_to_be_parsed(data: bytes) -> None:
    heads = HeaderCache()
    learn(heads, RAW)
    assert heads.find(data) is None


@pytest.mark.parametrize(
    ("raw", "headers"),
    [
        (RAW[:-4], HEADERS),  # it is not all there
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
def test_a_head_that_is_not_plain_is_not_remembered(raw: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    heads = HeaderCache()
    learn(heads, raw + b"body", headers)
    assert not heads._heads


def test_so_many_are_remembered_and_the_oldest_is_forgotten() -> None:
    heads = HeaderCache()
    requests = [RAW.replace(b"Host: x", b"Host: %d" % number) + b"body" for number in range(65)]
    for request in requests:
        learn(heads, request)
    assert [heads.find(request) is not None for request in requests] == [False] + [True] * 64
    learn(heads, requests[-1])  # again, as whoever sends more behind it has it parsed
    assert [heads.find(request) is not None for request in requests] == [False] + [True] * 64
