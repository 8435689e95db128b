"""Requests that cost little to send and could cost much to answer. Made in code; knows no server.

A bomb is sent like any other request. To add another kind, add a function here or in `hostile_pictures.py`: then all
parts of the harness send it.
"""

import gzip
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from tests.attack.hostile_pictures import LIMIT, PICTURES, jpeg_empty_scans, png_noise, png_texts

ANSWERED = frozenset({200, 400, 413, 414, 415, 422, 503, 504})
"""The allowed statuses. A 500 or a missing answer is a fault."""

_PREDICT_V1 = "/v1/models/convnet:predict"
_PREDICT_V2 = "/v2/models/convnet/infer"
_JSON = ("Content-Type", "application/json")


@dataclass(frozen=True)
class Bomb:
    """One request."""

    name: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    statuses: frozenset[int] = ANSWERED
    holds_pictures: bool = False
    """Whether its pictures are decoded, which may take more memory than other bodies."""

    def bytes(self) -> bytes:
        """Return the request as bytes."""
        lines = [f"POST {self.path} HTTP/1.1", "Host: service", *(f"{name}: {value}" for name, value in self.headers)]
        return "\r\n".join([*lines, f"Content-Length: {len(self.body)}", "", ""]).encode() + self.body


Maker = Callable[[], Bomb]


def _picture(name: str, make: Callable[[], bytes]) -> Maker:
    return lambda: Bomb(name, "/predict", (("Content-Type", "application/octet-stream"),), make(), holds_pictures=True)


def _json(name: str, path: str, start: bytes, unit: bytes, end: bytes) -> Maker:
    """Make a body that is filled with `unit` up to the limit; all units but the last end in a comma."""

    def make() -> Bomb:
        count = (LIMIT - len(start) - len(end)) // (len(unit) + 1) - 1
        return Bomb(name, path, (_JSON,), start + (unit + b",") * count + unit + end)

    return make


def _compressed(name: str, make: Maker) -> Maker:
    def compress() -> Bomb:
        bomb = make()
        return Bomb(name, bomb.path, (*bomb.headers, ("Content-Encoding", "gzip")), gzip.compress(bomb.body, 9))

    return compress


_INSTANCES = b'{"instances":['
_DATA = b'{"inputs":[{"name":"images","datatype":"UINT8","shape":[1,28,28],"data":['
_FILES = b'{"inputs":[{"name":"image","datatype":"BYTES","shape":[2796000],"data":['
_UNITS = {"lists": b"[]", "strings": b'""', "objects": b"{}", "numbers": b"0", "floats": b"1e9", "nulls": b"null"}


def _json_bombs() -> Iterator[tuple[str, Maker]]:
    for kind, unit in _UNITS.items():
        name = f"instances-of-{kind}"
        make = _json(name, _PREDICT_V1, _INSTANCES, unit, b"]}")
        yield name, make
        yield f"{name}-in-gzip", _compressed(f"{name}-in-gzip", make)
        name = f"tensor-of-{kind}"
        yield name, _json(name, _PREDICT_V2, _DATA, unit, b"]}]}")
    images = b"[" * 28 + b"]" * 28
    for name, path, start, unit, end in (
        ("columns-of-lists", _PREDICT_V1, b'{"inputs":[', b"[]", b"]}"),
        ("instances-of-nested-lists", _PREDICT_V1, _INSTANCES, images, b"]}"),
        ("instances-of-files", _PREDICT_V1, _INSTANCES, b'{"b64":""}', b"]}"),
        ("examples", "/v1/models/convnet:classify", b'{"examples":[', b"{}", b"]}"),
        ("tensor-of-files", _PREDICT_V2, _FILES, b'""', b"]}]}"),
        (
            "tensor-of-dimensions",
            _PREDICT_V2,
            b'{"inputs":[{"name":"images","datatype":"UINT8","shape":[',
            b"1",
            b"]}]}",
        ),
        ("tensors", _PREDICT_V2, b'{"inputs":[', b"{}", b"]}"),
        ("outputs", _PREDICT_V2, b'{"inputs":[{}],"outputs":[', b"{}", b"]}"),
        ("parameters", _PREDICT_V2, b'{"inputs":[],"parameters":[', b"{}", b"]}"),
        ("unknown-member", _PREDICT_V1, b'{"instances":[],"x":[', b"[]", b"]}"),
    ):
        yield name, _json(name, path, start, unit, end)


def _members() -> Bomb:
    pairs = b",".join(b'"%x":0' % number for number in range(800_000))[: LIMIT - 100]
    return Bomb("members", _PREDICT_V1, (_JSON,), b"{" + pairs[: pairs.rindex(b",")] + b"}")


def _nested() -> Bomb:
    half = LIMIT // 2 - 100
    return Bomb("nested", _PREDICT_V1, (_JSON,), b'{"instances":' + b"[" * half + b"]" * half + b"}")


def _escapes() -> Bomb:
    return Bomb("escapes", _PREDICT_V1, (_JSON,), b'{"instances":"' + b"\\u0061" * (LIMIT // 6 - 10) + b'"}')


def _binary_tensor(name: str, elements: bytes, count: int) -> Bomb:
    head = b'{"inputs":[{"name":"image","datatype":"BYTES","shape":[%d],"parameters":{"binary_data_size":%d}}]}'
    head %= (count, len(elements))
    headers = (("Content-Type", "application/octet-stream"), ("Inference-Header-Content-Length", str(len(head))))
    return Bomb(name, _PREDICT_V2, headers, head + elements)


def _empty_elements() -> Bomb:
    return _binary_tensor("empty-elements", bytes(4 * 1_900_000), 1_900_000)


def _elements_that_claim_most() -> Bomb:
    return _binary_tensor("elements-that-claim-most", b"\xff" * 4_000_000, 1_000_000)


def _pictures_in_a_tensor() -> Bomb:
    picture = jpeg_empty_scans()
    element = len(picture).to_bytes(4, "little") + picture
    return replace(_binary_tensor("pictures-in-a-tensor", element * 64, 64), holds_pictures=True)


_FORM = (("Content-Type", "multipart/form-data; boundary=b"),)
_PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'


def _form(name: str, body: bytes, path: str = "/predict/batch") -> Maker:
    return lambda: Bomb(name, path, _FORM, body)


def _batch(name: str, picture: Callable[[], bytes]) -> Maker:
    return lambda: Bomb(
        name, "/predict/batch", _FORM, (_PART + picture() + b"\r\n") * 64 + b"--b--\r\n", holds_pictures=True
    )


def _form_bombs() -> Iterator[tuple[str, Maker]]:
    size = LIMIT - 500
    for name, body in {
        "almost-boundaries": _PART + b"\r\n--a" * (size // 5) + b"\r\n--b--\r\n",
        "carriage-returns": _PART + b"\r" * size + b"\r\n--b--\r\n",
        "empty-parts": (_PART + b"\r\n") * (size // (len(_PART) + 2)) + b"--b--\r\n",
        "part-headers": b"--b\r\n" + b"a: b\r\n" * (size // 6) + b"\r\n\r\n--b--\r\n",
        "long-part-header": b'--b\r\nContent-Disposition: form-data; name="' + b"a" * size + b'"\r\n\r\n\r\n--b--\r\n',
        "part-parameters": b"--b\r\nContent-Disposition: form-data" + b"; a=b" * (size // 5) + b"\r\n\r\n\r\n--b--\r\n",
        "preamble": b"\r\n" * (size // 2) + _PART + b"\r\n--b--\r\n",
        "no-boundary": b"-" * size,
    }.items():
        yield f"form-with-{name}", _form(f"form-with-{name}", body)


def _query(name: str, query: str) -> Maker:
    return lambda: Bomb(name, f"/predict?{query}", (("Content-Type", "image/png"),), png_noise(1))


def _header(name: str, field: str, value: str, path: str = "/predict") -> Maker:
    headers = (("Content-Type", "image/png"), (field, value)) if field != "Content-Type" else ((field, value),)
    return lambda: Bomb(name, path, headers, png_noise(1))


def _head_bombs() -> Iterator[tuple[str, Maker]]:
    yield "query-of-names", _query("query-of-names", "a&" * 3000)
    yield "query-of-pairs", _query("query-of-pairs", "a=1&" * 1500)
    yield "query-of-escapes", _query("query-of-escapes", "%61" * 2000)
    yield "long-query", _query("long-query", "seen=" + "1" * 30_000)
    yield "version-of-digits", _query("version-of-digits", "version=" + "9" * 6000)
    yield "accept", _header("accept", "Accept", "a/b;q=0.1," * 5000)
    yield "type-parameters", _header("type-parameters", "Content-Type", "multipart/form-data" + "; a=b" * 8000)
    yield "type-quotes", _header("type-quotes", "Content-Type", 'multipart/form-data; boundary="' + '\\"' * 20_000)
    yield "authorization", _header("authorization", "Authorization", "Bearer " + "a" * 50_000)
    # On this route, the framework parses cookies.
    yield "cookie-of-quotes", _header("cookie-of-quotes", "Cookie", 'a="' + '\\"' * 25_000 + '"', path="/explain")
    yield "trace", _header("trace", "traceparent", "00-" + "a" * 50_000)


def _others() -> Iterator[tuple[str, Maker]]:
    for make in (_members, _nested, _escapes, _empty_elements, _elements_that_claim_most, _pictures_in_a_tensor):
        yield make.__name__.strip("_").replace("_", "-"), make
    yield "batch-of-empty-scans", _batch("batch-of-empty-scans", jpeg_empty_scans)
    yield "batch-of-noise", _batch("batch-of-noise", png_noise)
    yield "batch-of-texts", _batch("batch-of-texts", png_texts)
    yield (
        "explained-noise",
        lambda: Bomb("explained-noise", "/explain", (("Content-Type", "image/png"),), png_noise()),
    )
    yield (
        "base64-picture",
        lambda: Bomb(
            "base64-picture", _PREDICT_V1, (_JSON,), b'{"instances":[{"b64":"' + b"A" * (LIMIT - 200) + b'"}]}'
        ),
    )


BOMBS: Mapping[str, Maker] = {
    **{name: _picture(name, make) for name, make in PICTURES.items()},
    **dict(_json_bombs()),
    **dict(_form_bombs()),
    **dict(_head_bombs()),
    **dict(_others()),
}
"""All bombs by name. Each is made when it is needed, because together they have some hundred megabytes."""
