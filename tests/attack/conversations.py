"""Generate the bytes of one connection from a seed, with valid and broken HTTP/1.1. Opens no connection.

A conversation consists of pieces. Each piece has the bytes that stock uvicorn gets in its place, so that stock uvicorn
defines the expected answer of the service. All intended differences are listed in `ENDINGS`.
"""

import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from tests.attack.witnesses import seven


@dataclass(frozen=True)
class Piece:
    """One request, or what is no request."""

    sent: bytes
    reference: bytes
    """What stock uvicorn is sent in its place: the same, but where stock falls short."""
    without_body: bool = False
    """Whether the answer has no body, because HEAD was asked."""


@dataclass(frozen=True)
class Ending:
    """How a conversation ends, when it ends by something else than a good request that says so."""

    make: Callable[[random.Random], bytes]
    refusal: int | None
    """With which status the service answers it, as a problem, before it closes; None: it closes without a word."""
    leaves: bool = False
    """Whether the client closes its sending side in the end."""


@dataclass(frozen=True)
class Conversation:
    """What one client sends."""

    seed: int
    pieces: tuple[Piece, ...]
    ending: str | None
    last: bytes
    """What the ending sends; of a conversation without one, a last good request that closes."""
    writes: tuple[bytes, ...]
    pauses: frozenset[int]

    @property
    def reference(self) -> bytes:
        """Return what stock uvicorn is sent: the good requests, and one that closes."""
        return b"".join(piece.reference for piece in self.pieces) + (_CLOSE if self.ending else self.last)

    @property
    def without_body(self) -> frozenset[int]:
        """Say which answers have no body."""
        return frozenset(place for place, piece in enumerate(self.pieces) if piece.without_body)


_CLOSE = b"GET /nothing/last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
_BINARY = b"Content-Type: image/png\r\n"


@cache
def _digit() -> bytes:
    return seven(28)


def _token(draw: random.Random) -> bytes:
    return b"%08x" % draw.getrandbits(32)


def _headers(draw: random.Random) -> bytes:
    """Return headers that change nothing, in odd forms that are allowed."""
    lines = [
        b"Accept: */*\r\n",
        b"X-Request-ID: " + _token(draw) + b"\r\n",
        b"x-empty:\r\n",
        b"X-Blanks:  \t a  \t\r\n",
        b"X-Octets: \xe4\xf6\xfc\r\n",
        b"X-Long: " + b"a" * draw.choice((10, 1000, 20_000)) + b"\r\n",
        b"Connection: keep-alive\r\n",
        b"Accept-Encoding: gzip, deflate\r\n",
        b"Cookie: a=b; c=d\r\n",
    ]
    many = b"".join(b"X-%d: %d\r\n" % (number, number) for number in range(60)) if draw.random() < 0.03 else b""
    return b"Host: x\r\n" + b"".join(draw.sample(lines, draw.randrange(4))) + many


def _post(draw: random.Random, path: bytes, headers: bytes, body: bytes) -> bytes:
    """Frame a body by its length or in chunks."""
    start = b"POST %s HTTP/1.1\r\n%s%s" % (path, _headers(draw), headers)
    if draw.random() < 0.5:
        return b"%sContent-Length: %d\r\n\r\n%s" % (start, len(body), body)
    return b"%sTransfer-Encoding: %s\r\n\r\n%s" % (start, draw.choice((b"chunked", b"Chunked")), _chunked(draw, body))


def _chunked(draw: random.Random, body: bytes) -> bytes:
    chunks = []
    while body:
        size = draw.randrange(1, len(body) + 1)
        extension = draw.choice((b"", b"", b";a=b", b';a="b;c"', b";a"))
        number = draw.choice((b"%x", b"%X", b"000%x")) % size
        chunks.append(b"%s%s\r\n%s\r\n" % (number, extension, body[:size]))
        body = body[size:]
    trailers = draw.choice((b"", b"", b"X-Trailer: a\r\n", b"A: b\r\nContent-Type: text/plain\r\n"))
    return b"%s0\r\n%s\r\n" % (b"".join(chunks), trailers)


def _plain(request: bytes) -> Piece:
    return Piece(request, request)


def _get(draw: random.Random) -> Piece:
    path = draw.choice(
        (b"/health/live", b"/v2/health/live", b"/nothing/" + _token(draw), b"/%6eothing?a=" + _token(draw))
    )
    return _plain(draw.choice((b"", b"", b"", b"\r\n")) + b"GET %s HTTP/1.1\r\n%s\r\n" % (path, _headers(draw)))


def _head(draw: random.Random) -> Piece:
    request = b"HEAD /health/live HTTP/1.1\r\n%s\r\n" % _headers(draw)
    return Piece(request, request, without_body=True)


def _other_method(draw: random.Random) -> Piece:
    method = draw.choice((b"OPTIONS", b"DELETE", b"PUT", b"PATCH", b"PROPFIND"))
    body = _token(draw) if draw.random() < 0.5 else b""
    return _plain(b"%s /predict HTTP/1.1\r\n%sContent-Length: %d\r\n\r\n%s" % (method, _headers(draw), len(body), body))


def _predict(draw: random.Random) -> Piece:
    path = b"/predict" + draw.choice((b"", b"?model=softmax", b"?model=none-" + _token(draw), b"?seen=true"))
    return _plain(_post(draw, path, _BINARY, _digit()))


def _predict_known_head(draw: random.Random) -> Piece:
    """Ask with a head that never changes, as most clients do."""
    return _plain(
        b"POST /predict HTTP/1.1\r\nHost: x\r\n%sContent-Length: %d\r\n\r\n%s" % (_BINARY, len(_digit()), _digit())
    )


def _predict_form(draw: random.Random) -> Piece:
    part = b'--bound\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n%s\r\n--bound--\r\n'
    return _plain(_post(draw, b"/predict", b"Content-Type: multipart/form-data; boundary=bound\r\n", part % _digit()))


def _no_picture(draw: random.Random) -> Piece:
    return _plain(_post(draw, b"/predict", _BINARY, draw.choice((b"x", b"rubbish " + _token(draw), _digit()[:50]))))


def _tensors(draw: random.Random) -> Piece:
    rows = b",".join([b"[" + b",".join([b"%d" % draw.randrange(256)] * 28) + b"]"] * 28)
    body = b'{"instances":[[%s]]}' % rows
    return _plain(_post(draw, b"/v1/models/softmax:predict", b"Content-Type: application/json\r\n", body))


def _expecting(draw: random.Random) -> Piece:
    return _plain(_post(draw, b"/predict", b"Expect: 100-continue\r\n" + _BINARY, _digit()))


def _offer(draw: random.Random) -> Piece:
    """Offer another protocol. Stock uvicorn takes what follows for that protocol; the service declines."""
    offer = b"Connection: %s\r\nUpgrade: %s\r\n" % (
        draw.choice((b"Upgrade", b"upgrade, HTTP2-Settings")),
        draw.choice((b"h2c", b"websocket", b"TLS/1.2")),
    )
    path, rest = b"/nothing/" + _token(draw), _headers(draw).replace(b"Connection: keep-alive\r\n", b"")
    request = b"GET %s HTTP/1.1\r\n%s%s\r\n"
    return Piece(request % (path, rest, offer), request % (path, rest, b""))


_GOOD: Mapping[Callable[[random.Random], Piece], int] = {
    _get: 4,
    _head: 1,
    _other_method: 1,
    _predict: 3,
    _predict_known_head: 2,
    _predict_form: 1,
    _no_picture: 1,
    _tensors: 1,
    _expecting: 1,
    _offer: 1,
}
"""The good requests, each with how often it comes."""


def _framed(framing: bytes, body: bytes = b"abc") -> Callable[[random.Random], bytes]:
    """Return a POST whose body is framed in a way that HTTP/1.1 does not allow."""
    return lambda draw: b"POST /predict HTTP/1.1\r\n%s%s%s\r\n\r\n%s" % (_headers(draw), _BINARY, framing, body)


def _always(data: bytes) -> Callable[[random.Random], bytes]:
    return lambda _: data


def _rubbish(draw: random.Random) -> bytes:
    return bytes(draw.randrange(128, 256) for _ in range(draw.randrange(1, 40)))


def _half(draw: random.Random) -> bytes:
    """Return a good request that lacks its end."""
    request = _post(draw, b"/predict", _BINARY, _digit())
    return request[: draw.randrange(1, len(request))]


_BAD_HEAD = b"GET /health/live HTTP/1.1\r\nHost: x\r\n"

ENDINGS: Mapping[str, Ending] = {
    # Stock answers these with 400 as text at once, in front of or in the place of answers to the good ones before.
    "rubbish": Ending(_rubbish, 400),
    "zeros": Ending(_always(b"\0\0\0\0"), 400),
    "one byte too many": Ending(_always(b"X\r\n\r\n"), 400),
    "no such version": Ending(_always(b"GET / HTTP/3.7\r\nHost: x\r\n\r\n"), 400),
    "no such method": Ending(_always(b"FETCH / HTTP/1.1\r\nHost: x\r\n\r\n"), 400),
    "blank before a colon": Ending(_always(_BAD_HEAD + b"A : b\r\n\r\n"), 400),
    "zero in a header": Ending(_always(_BAD_HEAD + b"A: \0b\r\n\r\n"), 400),
    "no name of a header": Ending(_always(_BAD_HEAD + b": b\r\n\r\n"), 400),
    "bad chunk size": Ending(_framed(b"Transfer-Encoding: chunked", b"xyz\r\n"), 400),
    "bad second chunk size": Ending(_framed(b"Transfer-Encoding: chunked", b"1\r\na\r\n-1\r\nb"), 400),
    "chunk longer than it says": Ending(_framed(b"Transfer-Encoding: chunked", b"1\r\nabc\r\n0\r\n\r\n"), 400),
    "chunk size beyond 64 bits": Ending(_framed(b"Transfer-Encoding: chunked", b"f" * 17 + b"\r\na"), 400),
    "identity": Ending(_framed(b"Transfer-Encoding: identity"), 400),
    "no such coding": Ending(_framed(b"Transfer-Encoding: xchunked"), 400),
    "length and chunks": Ending(_framed(b"Content-Length: 3\r\nTransfer-Encoding: chunked"), 400),
    "chunks and length": Ending(_framed(b"Transfer-Encoding: chunked\r\nContent-Length: 3"), 400),
    "two lengths": Ending(_framed(b"Content-Length: 3\r\nContent-Length: 4"), 400),
    "negative length": Ending(_framed(b"Content-Length: -3"), 400),
    "length beyond 64 bits": Ending(_framed(b"Content-Length: " + b"9" * 21), 400),
    "no length": Ending(_framed(b"Content-Length: 3x"), 400),
    # Stock begins a tunnel, and says nothing.
    "connect": Ending(_always(b"CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n"), 400),
    # Stock keeps all of it.
    "long head": Ending(_always(_BAD_HEAD + b"A: " + b"a" * 700_000 + b"\r\n\r\n"), 431),
    "many headers": Ending(_always(_BAD_HEAD + (b"A: " + b"b" * 55 + b"\r\n") * 12_000 + b"\r\n"), 431),
    # Stock closes too.
    "half": Ending(_half, None, leaves=True),
}
"""How conversations end that are not good to the end, and what the service is meant to do about it."""


def generate(seed: int) -> Conversation:
    """Return the conversation of a seed: always the same for the same one."""
    draw = random.Random(seed)  # noqa: S311 - it has to come again
    makers = draw.choices(list(_GOOD), list(_GOOD.values()), k=draw.choice((0, 1, 1, 2, 3, 5, 8, 20)))
    pieces = tuple(make(draw) for make in makers)
    ending = draw.choice(list(ENDINGS)) if draw.random() < 0.4 else None
    last = ENDINGS[ending].make(draw) if ending else _last(draw)
    writes, pauses = cut(b"".join(piece.sent for piece in pieces) + last, draw)
    return Conversation(seed, pieces, ending, last, writes, pauses)


def _last(draw: random.Random) -> bytes:
    if draw.random() < 0.2:
        return b"GET /health/live HTTP/1.0\r\n\r\n"
    return _CLOSE.replace(b"last", _token(draw))


def cut(data: bytes, draw: random.Random) -> tuple[tuple[bytes, ...], frozenset[int]]:
    """Cut what is sent into pieces, and say before which of them is a pause."""
    most = draw.choice((0, 0, 1, 3, 10))
    cuts = sorted({draw.randrange(1, len(data)) for _ in range(most)} if len(data) > 1 else ())
    if draw.random() < 0.05:  # byte by byte at some place
        start = draw.randrange(len(data))
        cuts = list(range(max(1, start), min(len(data), start + 60)))
    places = [0, *cuts, len(data)]
    writes = tuple(data[start:end] for start, end in itertools.pairwise(places))
    share = draw.choice((0.0, 0.3, 1.0))
    return writes, frozenset(place for place in range(1, len(writes)) if draw.random() < share)


def mutate(seed: int) -> tuple[bytes, tuple[bytes, ...], frozenset[int]]:
    """Return good requests of which some bytes are changed, taken out, doubled or put in: whole, and as it is sent."""
    draw = random.Random(seed)  # noqa: S311 - likewise
    makers: Sequence[Callable[[random.Random], Piece]] = [make for make in _GOOD if make not in (_head, _offer)]
    data = bytearray(b"".join(draw.choice(makers)(draw).sent for _ in range(draw.randrange(1, 5))))
    for _ in range(draw.randrange(1, 4)):
        at = draw.randrange(len(data))
        match draw.randrange(4):
            case 0:
                data[at] = draw.choice((draw.randrange(256), *b"\r\n :;,0\x00\t"))
            case 1:
                del data[at : at + draw.randrange(1, 5)]
            case 2:
                data[at:at] = data[at : at + draw.randrange(1, 40)]
            case 3:
                data[at:at] = draw.choice((b"\r\n", b"\n", b"\0", b" ", b"0", b"GET / HTTP/1.1\r\n\r\n"))
    whole = bytes(data) + _CLOSE
    return whole, *cut(whole, draw)
