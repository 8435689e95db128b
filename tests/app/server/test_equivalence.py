"""The service with and without the fast path: the same requests get the same responses.

One service runs as `python -m app` does by default. The other has no `app.server` at all: its import fails, and
unmodified uvicorn serves `app.main:create_app`.
"""

import gzip
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import pytest

from imaging import encode_png
from tests.app.dark_blobs import page_file
from tests.app.service import ROOT, service, wait_until_ready
from tests.app.tiny_finder import publish_finder
from tests.conftest import draw_seven, newest

pytestmark = pytest.mark.slow

WITHOUT_SERVER = """
import sys
sys.modules["app.server"] = None  # an import of it fails, as if the folder were deleted
import uvicorn
uvicorn.run("app.main:create_app", factory=True, port=int(sys.argv[1]), access_log=False, log_config=None,
            server_header=False)
"""
DIFFERENT_EACH_TIME = {"date", "server-timing"}

SEVEN = draw_seven("PNG")
ANIMATION = b"\0\0\0\x08acTL" + bytes((0, 0, 0, 3)) + bytes(4)
ANIMATION += zlib.crc32(ANIMATION[4:]).to_bytes(4, "big")  # the chunk that announces three frames
PHOTOGRAPH = draw_seven("JPEG", (1200, 1200), "RGB")
TWO_DIGITS = page_file(["71"])
TINY = draw_seven("PNG", (16, 16))
SEVERAL_FRAMES = SEVEN[:33] + ANIMATION + SEVEN[33:]
NOISE = encode_png(np.random.default_rng(0).integers(0, 256, (100, 100), dtype=np.uint8))
PNG, JPEG = {"content-type": "image/png"}, {"content-type": "image/jpeg"}
BLANK = [[0] * 28] * 28
CLIENT = httpx.Client(timeout=30, trust_env=False)  # the same connections for all requests


@dataclass(frozen=True)
class Ask:
    """One request."""

    method: str
    url: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Response:
    """What a client sees of a response, but for what differs each time."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


@contextmanager
def without_server(**settings: str) -> Iterator[str]:
    """Serve the application by uvicorn alone; yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(  # noqa: S603 - ours
        [sys.executable, "-c", WITHOUT_SERVER, str(port)],
        cwd=ROOT,
        env={**os.environ, **settings},
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until_ready(f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


@contextmanager
def both(**settings: str) -> Iterator[list[str]]:
    """Run both services; yield their addresses."""
    with ExitStack() as stack:
        _, fast = stack.enter_context(service(WORKERS="1", ACCESS_LOG="false", **settings))
        yield [fast, stack.enter_context(without_server(**settings))]


def send(address: str, ask: Ask) -> Response:
    headers = {"x-request-id": "the-same", "host": "127.0.0.1", **ask.headers}
    response = CLIENT.request(ask.method, address + ask.url, content=ask.body or None, headers=headers)
    return Response(response.status_code, visible(response.headers.multi_items()), response.content)


def visible(headers: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    lower = [(name.lower(), value) for name, value in headers]
    in_order = [(name, ", ".join(sorted(value.split(", "))) if name == "allow" else value) for name, value in lower]
    return sorted(pair for pair in in_order if pair[0] not in DIFFERENT_EACH_TIME)


def form(*files: bytes, name: str = "file", **fields: str) -> tuple[bytes, dict[str, str]]:
    pictures = [(name, ("digit.png", content)) for content in files]
    request = httpx.Request("POST", "http://x", files=pictures, data=fields)
    return request.read(), {"content-type": request.headers["content-type"]}


def as_json(value: object) -> bytes:
    return json.dumps(value).encode()


def predictions() -> Iterator[Ask]:
    """Yield requests to the service's own interface: good, refused and broken."""
    pictures = {
        "seven": (SEVEN, PNG),
        "photograph": (PHOTOGRAPH, JPEG),
        "noise": (NOISE, PNG),
        "two digits": (TWO_DIGITS, PNG),
        "tiny": (TINY, PNG),
        "form of two digits": form(TWO_DIGITS),
        "octets": (SEVEN, {"content-type": "application/octet-stream"}),
        "wrong type": (SEVEN, JPEG),
        "parameters": (SEVEN, {"content-type": "image/png; charset=utf-8"}),
        "form": form(SEVEN),
        "form of a photograph": form(PHOTOGRAPH),
        "two files": form(SEVEN, NOISE),
        "other name": form(SEVEN, name="picture"),
        "empty file": form(b""),
        "fields": form(SEVEN, model="softmax", seen="true"),
        "unknown field": form(SEVEN, modle="softmax"),
        "several frames": (SEVERAL_FRAMES, PNG),
        "compressed and valid": (gzip.compress(SEVEN), {**PNG, "content-encoding": "gzip"}),
        "broken form": (b"--x\r\nbroken", {"content-type": "multipart/form-data; boundary=x"}),
        "form without boundary": (b"--x\r\n", {"content-type": "multipart/form-data"}),
        "empty": (b"", PNG),
        "text": (b"text", {"content-type": "text/plain"}),
        "no type": (SEVEN, {}),
        "no picture": (b"no picture", PNG),
        "cut short": (SEVEN[:100], PNG),
        "cut photograph": (PHOTOGRAPH[:5000], JPEG),
        "too large": (bytes(9 * 1024**2), PNG),
        "compressed": (SEVEN, {**PNG, "content-encoding": "gzip"}),
    }
    queries = ["", "?seen=true", "?model=softmax", "?model=none", "?version=99", "?version=x", "?seen=maybe", "?x=1"]
    for body, headers in pictures.values():
        for query in queries:
            yield Ask("POST", f"/predict{query}", body, headers)
        yield Ask("POST", "/predict/batch", body, headers)
        yield Ask("POST", "/explain", body, headers)
        yield Ask("POST", "/read", body, headers)
        yield Ask("POST", "/read/batch", body, headers)
    yield Ask("POST", "/predict/batch", *form(*[SEVEN, NOISE, b"broken", TWO_DIGITS, TINY, PHOTOGRAPH]))
    yield Ask("POST", "/predict/batch", *form(*[SEVEN] * 70))
    yield Ask("POST", "/predict/batch", *form(SEVEN, SEVERAL_FRAMES))
    for path in ("/predict/", "/predict//", "/read/", "/predict/batch/"):
        yield Ask("POST", path, SEVEN, PNG)
    yield Ask("POST", "/read?seen=true&model=softmax", SEVEN, PNG)
    yield Ask("POST", "/read?version=x", SEVEN, PNG)
    yield Ask("POST", "/read/batch", *form(*[SEVEN, b"broken", PHOTOGRAPH]))
    yield Ask("POST", "/predict?" + "&".join(f"a{number}=1" for number in range(30)), SEVEN, PNG)
    yield Ask("POST", "/feedback", as_json({"prediction_id": "x", "label": 4}), {"content-type": "application/json"})
    for origin in ("http://127.0.0.1", "https://elsewhere.example", "null"):
        yield Ask("POST", "/predict", SEVEN, {**PNG, "origin": origin})


def pages() -> Iterator[Ask]:
    """Yield requests that send nothing, and methods and paths that do not exist."""
    paths = [
        "/",
        "/docs",
        "/openapi.json",
        "/models",
        "/metrics",
        "/health/live",
        "/health/ready",
        "/nowhere",
        "/docs/",
        "/models/",
    ]
    paths += ["/models/softmax/weights", "/models/convnet/weights", "/models/none/weights", "/page/x/main.js"]
    paths += ["/v2", "/v2/health/ready", "/v2/models/convnet", "/v2/models/convnet/config", "/v2/models/none"]
    paths += ["/v1/models/convnet", "/v1/models/convnet/metadata", "/v1/models/none", "/predict", "/%70redict"]
    for path in paths:
        for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE"):
            yield Ask(method, path)
    yield Ask("GET", "/", headers={"accept-encoding": "gzip"})


def tensors() -> Iterator[Ask]:
    """Yield requests of the tensor protocols."""
    typed = {"content-type": "application/json"}
    image = {"name": "images", "shape": [1, 28, 28], "datatype": "UINT8", "data": [BLANK]}
    for body in (
        {"inputs": [image]},
        {"inputs": [{**image, "shape": [2, 28, 28]}]},
        {"inputs": [{**image, "name": "none"}]},
        {"inputs": [image], "outputs": [{"name": "none"}]},
        {"inputs": []},
        [],
    ):
        for path in ("/v2/models/convnet/infer", "/v2/models/none/infer", "/v2/models/softmax/versions/9/infer"):
            yield Ask("POST", path, as_json(body), typed)
    for body in ({"instances": [BLANK]}, {"inputs": {"images": [BLANK]}}, {"instances": [[1]]}, {}):
        for verb in ("predict", "classify", "regress"):
            yield Ask("POST", f"/v1/models/convnet:{verb}", as_json(body), typed)
            yield Ask("POST", f"/v1/models/none:{verb}", as_json(body), typed)
    yield Ask("POST", "/v2/models/convnet/infer", b"{broken", typed)
    yield Ask("POST", "/v2/models/convnet/infer", SEVEN, {"inference-header-content-length": "0"})
    yield Ask("POST", "/v2/repository/index", b"{}", typed)
    yield Ask("POST", "/v2/repository/models/none/load", b"", typed)


@pytest.fixture(scope="module", autouse=True)
def _client_is_closed() -> Iterator[None]:
    yield
    CLIENT.close()


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the newest classifiers and the tiny finder, which gives pictures a second look."""
    folder = tmp_path_factory.mktemp("models")
    for name in ("convnet", "softmax"):
        shutil.copytree(newest(name), folder / name / newest(name).name)
    publish_finder(folder)
    return folder


@pytest.fixture(scope="module")
def addresses(models: Path) -> Iterator[list[str]]:
    with both(MAX_FILES="64", UPLOAD_SECONDS="2", MODELS_DIR=str(models)) as addresses:
        yield addresses


@pytest.fixture(scope="module")
def guarded() -> Iterator[list[str]]:
    """Run both services with tokens, an allowed origin and hardly any patience with large pictures."""
    with both(
        PREDICT_TOKEN="secret",
        ADMIN_TOKEN="other",
        ALLOWED_ORIGINS="https://digits.example",
        LONGEST_WAIT_SECONDS="0.001",
    ) as addresses:
        yield addresses


@pytest.mark.parametrize("asks", [predictions, pages, tensors])
def test_the_same_requests_get_the_same_responses(addresses: list[str], asks: type[Iterator[Ask]]) -> None:
    different = []
    for ask in asks():
        fast, plain = (send(address, ask) for address in addresses)
        if fast != plain:
            different.append((ask.method, ask.url, ask.body[:40], fast, plain))
    assert different == []


def test_a_drawing_with_two_digits_gets_its_second_look_from_both(addresses: list[str]) -> None:
    fast, plain = (send(address, Ask("POST", "/predict", TWO_DIGITS, PNG)) for address in addresses)
    assert json.loads(fast.body)["reason"] == "several_digits"
    assert fast == plain
    metrics = send(addresses[0], Ask("GET", "/metrics", headers={"accept": "text/plain"})).body.decode()
    searches = re.search(r'^digitserve_stage_duration_seconds_count{stage="find"} (\S+)$', metrics, re.MULTILINE)
    assert searches
    assert float(searches[1]) >= 1


def test_tokens_are_asked_for_alike(guarded: list[str]) -> None:
    for token in (None, "Bearer secret", "bearer secret", "Bearer wrong", "Basic secret", "Bearer other", "Bearer"):
        headers = {} if token is None else {"authorization": token}
        for ask in (
            Ask("POST", "/predict", SEVEN, PNG | headers),
            Ask("POST", "/predict", PHOTOGRAPH, JPEG | headers),
            Ask("POST", "/predict", SEVEN, PNG | headers | {"origin": "https://digits.example"}),
            Ask("POST", "/predict/batch", *form(SEVEN)),
            Ask("POST", "/read", SEVEN, PNG | headers),
            Ask("POST", "/v2/repository/models/none/unload", b"", headers),
            Ask("GET", "/models", b"", headers),
        ):
            fast, plain = (send(address, ask) for address in guarded)
            assert fast == plain, (token, ask)


def connect(address: str) -> socket.socket:
    host, port = address.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=15)


def converse(address: str, *pieces: bytes) -> bytes:
    """Send pieces and return all that is sent back until the end of the connection."""
    with connect(address) as connection:
        for piece in pieces:
            connection.sendall(piece)
        received = b""
        while piece := connection.recv(65536):
            received += piece
    return received


def parsed(received: bytes) -> Response:
    head, _, body = received.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    return Response(int(status.split()[1]), visible(headers), body)


def post(path: str, length: int, media_type: str = "image/png") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Request-ID: the-same\r\n"
    return f"{head}Content-Type: {media_type}\r\nContent-Length: {length}\r\n\r\n".encode()


@pytest.mark.parametrize(
    "head",
    [
        post("/predict", 300),
        post("/predict", 300_000),
        post("/predict/batch", 300, "multipart/form-data; boundary=x"),
        post("/v2/models/convnet/infer", 300),
    ],
    ids=["small", "large", "batch", "tensor"],
)
def test_an_upload_that_is_too_slow_is_answered_alike(addresses: list[str], head: bytes) -> None:
    with ThreadPoolExecutor() as threads:
        fast, plain = threads.map(lambda address: parsed(converse(address, head, b"beginning")), addresses)
    assert fast.status == 408
    assert fast == plain


def test_overload_is_answered_alike() -> None:
    asks = [
        Ask("POST", "/predict", SEVEN, PNG),
        Ask("POST", "/predict", PHOTOGRAPH, JPEG),
        Ask("POST", "/explain", SEVEN, PNG),
        Ask("POST", "/read", SEVEN, PNG),
        Ask("POST", "/v2/models/convnet/infer", b"{}"),
        Ask("GET", "/health/ready"),
    ]
    answers = []
    with both(MOST_AT_ONCE="1") as addresses:
        for address in addresses:
            with connect(address) as held:
                held.sendall(post("/predict", 300))
                wait_until_refused(address)
                answers.append([send(address, ask) for ask in asks])
    assert [answer.status for answer in answers[0]] == [503, 503, 503, 503, 503, 200]
    assert answers[0] == answers[1]


def wait_until_refused(address: str) -> None:
    end = time.monotonic() + 10
    while send(address, Ask("POST", "/predict", SEVEN, PNG)).status != 503:
        assert time.monotonic() < end


def test_large_pictures_are_refused_alike(guarded: list[str]) -> None:
    photograph = encode_png(np.random.default_rng(0).integers(0, 256, (2500, 2500), dtype=np.uint8))
    ask = Ask("POST", "/predict", photograph, PNG | {"authorization": "Bearer secret"})
    for address in guarded:
        with ThreadPoolExecutor(6) as threads:
            responses = list(threads.map(send, [address] * 6, [ask] * 6))
        refused = [response for response in responses if response.status == 503]
        assert len(responses) > len(refused) > 0
        for response in refused:
            assert b"the picture would wait" in response.body
            assert {name for name, _ in response.headers} == {name for name, _ in refused[0].headers}


def test_what_is_no_http_has_the_same_status(addresses: list[str]) -> None:
    for rubbish in (
        b"rubbish\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    ):
        fast, plain = (parsed(converse(address, rubbish)).status for address in addresses)
        assert fast == plain == 400


def test_the_folder_of_the_server_can_be_deleted() -> None:
    """What is outside of it imports nothing of it, except the command that starts the service."""
    users = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "app").rglob("*.py")
        if "server" not in path.parts and re.search(r"^\s*(from|import) app\.server", path.read_text(), re.MULTILINE)
    ]
    assert users == [str(Path("app/__main__.py"))]
