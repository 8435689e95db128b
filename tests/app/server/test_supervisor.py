"""The service as a process: its start, several workers, and a shutdown that finishes accepted requests."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import uvloop

from app.observability.metrics import FLUSH_SECONDS
from app.server.supervisor import ACCEPTED_AT_ONCE, _open_unix_socket, _url, duplicate
from tests.app.service import ROOT, service


def test_an_invalid_setting_stops_the_start() -> None:
    process = subprocess.run(
        [sys.executable, "-m", "app"], cwd=ROOT, env={**os.environ, "PORT": "99999"}, capture_output=True, check=False
    )
    assert process.returncode == 1
    assert process.stderr.decode().startswith("PORT='99999' is not valid")
    assert "Traceback" not in process.stderr.decode()


def test_a_port_in_use_stops_the_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        process = subprocess.run(
            [sys.executable, "-m", "app"],
            cwd=ROOT,
            env={**os.environ, "PORT": str(port)},
            capture_output=True,
            check=False,
        )
    assert process.returncode == 1
    assert process.stderr.decode().startswith(f"Port {port} of 127.0.0.1 cannot be opened: Address already in use.")


def test_several_connections_are_accepted_in_one_iteration_of_the_event_loop() -> None:
    accepted: list[asyncio.BaseTransport] = []

    class Protocol(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            accepted.append(transport)

    async def count_accepted(listener: socket.socket) -> int:
        loop = asyncio.get_running_loop()
        servers = [await loop.create_server(Protocol, sock=each) for each in duplicate(listener)]
        clients = [socket.create_connection(listener.getsockname()) for _ in range(ACCEPTED_AT_ONCE)]
        for _ in range(3):  # one to poll, one to accept and one to call the protocols
            await asyncio.sleep(0)
        for each in [*servers, *clients, *accepted]:
            each.close()
        return len(accepted)

    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        assert runner.run(count_accepted(listener)) == ACCEPTED_AT_ONCE


def test_the_logged_url_is_valid_for_ipv4_ipv6_and_unix_sockets() -> None:
    assert _url(("127.0.0.1", 8000)) == "http://127.0.0.1:8000"
    assert _url(("::1", 8000)) == "http://[::1]:8000"
    assert _url("/run/digits") == "unix:/run/digits"


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("FEEDBACK_DIR", "/dev/null/feedback", "FEEDBACK_DIR='/dev/null/feedback' cannot be written: Not a directory."),
        ("FEEDBACK_DIR", "file:///dev/null/x", "FEEDBACK_DIR='file:///dev/null/x' cannot be written: Not a directory."),
        ("TMPDIR", "/no/such/folder", "No temporary folder can be created in '/no/such/folder': No such file"),
        (
            "HOST",
            "unix:/no/such/folder/socket",
            "The Unix socket /no/such/folder/socket cannot be opened: No such file",
        ),
        ("HOST", "unix:/dev/null", "The Unix socket /dev/null cannot be opened: Address already in use."),
    ],
)
def test_a_folder_or_socket_that_cannot_be_written_stops_the_start_in_one_line(
    setting: str, value: str, message: str
) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "app"], cwd=ROOT, env={**os.environ, setting: value}, capture_output=True, check=False
    )
    assert process.returncode == 1
    (line,) = process.stderr.decode().splitlines()
    assert line.startswith(message)


@pytest.mark.parametrize(
    ("published", "named"), [([], "none"), (["softmax/1", "another/3", "finder/1"], "another, softmax")]
)
def test_a_default_model_without_a_version_stops_the_start_in_one_line(
    tmp_path: Path, published: list[str], named: str
) -> None:
    for folder in [*published, "missing/.1-half-written"]:
        (tmp_path / folder).mkdir(parents=True)
    environment = {**os.environ, "MODELS_DIR": str(tmp_path), "DEFAULT_MODEL": "missing"}
    process = subprocess.run([sys.executable, "-m", "app"], cwd=ROOT, env=environment, capture_output=True, check=False)
    assert process.returncode == 1
    assert process.stderr.decode() == (
        f"DEFAULT_MODEL='missing' has no version in {tmp_path}. Classifiers that have one: {named}. "
        "Set DEFAULT_MODEL to one of them, or publish a version first.\n"
    )


def test_a_socket_that_is_in_use_is_not_taken_and_an_abandoned_one_is(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    first = _open_unix_socket(path)
    with pytest.raises(SystemExit, match="cannot be opened"):
        _open_unix_socket(path)
    first.close()  # as when a service is killed: the path is left behind
    with _open_unix_socket(path), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


@pytest.mark.slow
def test_several_workers_answer_and_their_metrics_are_added_up(seven: bytes) -> None:
    with service(WORKERS="2") as (_, url):
        for _ in range(20):  # each with a new connection, so that both workers answer some
            answer = httpx.post(f"{url}/predict", content=seven, headers={"content-type": "image/png"})
            assert answer.json()["digit"] == 7
        version = answer.json()["version"]
        time.sleep(FLUSH_SECONDS * 2)  # until the other worker has flushed its counts
        for _ in range(4):
            metrics = httpx.get(f"{url}/metrics", headers={"accept": "text/plain"}).text
            assert f'digitserve_predictions_total{{digit="7",model="convnet",version="{version}"}} 20.0' in metrics


@pytest.mark.slow
def test_the_statistics_of_all_workers_are_added_up_at_once() -> None:
    tensor = {"name": "images", "shape": [2, 28, 28], "datatype": "UINT8", "data": [0] * 1568}
    with service(WORKERS="2") as (process, url):

        def counts() -> set[int]:
            answers = (httpx.get(f"{url}/v2/models/convnet/stats").json()["model_stats"] for _ in range(8))
            return {answer[0]["inference_count"] for answer in answers}

        for _ in range(20):  # each with a new connection, so that both workers answer some
            httpx.post(f"{url}/v2/models/convnet/infer", json={"inputs": [tensor]}).raise_for_status()
        assert counts() == {40}
        os.kill(int(children(process.pid)[-1]), signal.SIGKILL)
        assert_soon(lambda: len(children(process.pid)) == 3)
        assert counts() == {40}


@pytest.mark.slow
def test_a_response_to_head_has_no_body() -> None:
    with service(WORKERS="1") as (_, url), socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as peer:
        peer.sendall(b"HEAD /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        peer.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        head, get, body = peer.makefile("rb").read().split(b"\r\n\r\n")
    for answer in (head, get):
        assert answer.startswith(b"HTTP/1.1 200")
        assert b"content-length: %d\r\n" % len(body) in answer
    assert json.loads(body) == {"status": "live"}


@pytest.mark.slow
def test_other_workers_answer_while_a_worker_starts(seven: bytes) -> None:
    def answer() -> int:
        try:
            return httpx.post(f"{url}/predict", content=seven, headers={"content-type": "image/png"}).status_code
        except httpx.TransportError:
            return 0  # the killed worker had the connection

    with service(WORKERS="2") as (process, url):
        assert {answer() for _ in range(40)} == {200}  # at the start one worker is ready before the other
        killed = children(process.pid)[-1]
        os.kill(int(killed), signal.SIGKILL)
        answers = []
        end = time.monotonic() + 4  # half a second until the death is noticed, one until the new worker is ready
        # A busy machine takes longer to notice: the supervisor waits up to 5 s for a worker that is still starting.
        while time.monotonic() < end or (killed in children(process.pid) and time.monotonic() < end + 16):
            answers.append(answer())
        assert killed not in children(process.pid)
        assert set(answers) <= {0, 200}
        assert answers.count(0) <= 1


def children(process: int) -> list[str]:
    return Path(f"/proc/{process}/task/{process}/children").read_text().split()


@pytest.mark.slow
def test_the_service_stops_if_its_workers_cannot_start(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\nif any('spawn_main' in argument for argument in sys.orig_argv):\n    os._exit(7)\n"
    )
    process = subprocess.run(
        [sys.executable, "-m", "app"],
        cwd=ROOT,
        env={**os.environ, "PORT": "0", "WORKERS": "2", "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert process.returncode == 1
    messages = [json.loads(line) for line in process.stdout.splitlines()]
    (failure,) = (message for message in messages if message["event"] == "workers cannot start")
    assert failure["level"] == "error"
    assert "start the service again" in failure["advice"]


@pytest.mark.slow
def test_a_shutdown_finishes_accepted_requests(seven: bytes) -> None:
    with service(WORKERS="1") as (process, url):
        port = int(url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as slow:
            head = (
                f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: {len(seven)}\r\n\r\n"
            )
            slow.sendall(head.encode() + seven[:50])
            httpx.get(f"{url}/health/live")  # once this is answered, the request before it has been accepted
            process.send_signal(signal.SIGTERM)
            slow.sendall(seven[50:])
            answer = slow.makefile("rb").read()
        assert answer.startswith(b"HTTP/1.1 200")
        assert json.loads(answer.rpartition(b"\r\n\r\n")[2])["digit"] == 7
        output, _ = process.communicate(timeout=30)
    assert process.returncode in (0, -signal.SIGTERM)
    lines = [json.loads(line) for line in output.splitlines()]
    assert ("/predict", 200) in [(line["path"], line["status"]) for line in lines if line["event"] == "request"]


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_shutdown_removes_all_temporary_files(tmp_path: Path, workers: str, stop: signal.Signals) -> None:
    with service(WORKERS=workers, TMPDIR=str(tmp_path)) as (process, _):
        assert list(tmp_path.iterdir())
        process.send_signal(stop)
        assert process.wait(30) == 0
        assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_requests_past_the_concurrency_limit_are_refused_until_one_ends(seven: bytes) -> None:
    as_png = {"content-type": "image/png"}
    with service(WORKERS="1", MOST_AT_ONCE="1") as (_, url), httpx.Client(base_url=url, headers=as_png) as client:
        port = int(url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as slow:
            slow.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 9\r\n\r\n")
            client.get("/health/live")  # once this is answered, the request before it has been accepted
            for _ in range(3):
                refused = client.post("/predict", content=seven)
                assert refused.status_code == 503
                assert refused.headers["retry-after"] == "1"
                assert refused.json()["type"] == "urn:digitserve:problem:overloaded"
        while (answer := client.post("/predict", content=seven)).status_code == 503:  # until it sees the disconnect
            time.sleep(0.01)
        assert answer.status_code == 200


@pytest.mark.slow
def test_the_service_opens_no_connection_to_other_machines(tmp_path: Path, seven: bytes) -> None:
    """Start and predict under an audit hook that ends the process at the first look-up or outgoing connection."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\n"
        "def forbid(event, arguments):\n"
        "    if event in ('socket.connect', 'socket.getaddrinfo', 'socket.gethostbyname'):\n"
        "        if not str(arguments).count('127.0.0.1'):\n"
        "            print(event, arguments, file=sys.stderr, flush=True)\n"
        "            os._exit(3)\n"
        "sys.addaudithook(forbid)\n"
    )
    with service(WORKERS="1", PYTHONPATH=str(tmp_path)) as (process, url):
        httpx.post(f"{url}/predict", content=seven, headers={"content-type": "image/png"}).raise_for_status()
        assert process.poll() is None


@pytest.mark.slow
def test_a_command_to_one_worker_reaches_all_workers(seven: bytes) -> None:
    def answers(url: str) -> set[int]:
        """Send enough requests, each with a new connection, to reach both workers."""
        sent = {"content": seven, "headers": {"content-type": "image/png"}}
        return {httpx.post(f"{url}/predict?model=softmax", **sent).status_code for _ in range(20)}  # type: ignore[arg-type]

    token = {"authorization": "Bearer secret"}
    with service(WORKERS="2", ADMIN_TOKEN="secret") as (_, url):
        load, unload = (f"{url}/v2/repository/models/softmax/{action}" for action in ("load", "unload"))
        refused = httpx.post(unload)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"].startswith("Bearer")
        assert "ADMIN_TOKEN" in refused.json()["error"]
        assert answers(url) == {200}
        for address, status in ((unload, 503), (load, 200)):
            assert httpx.post(address, headers=token).status_code == 200
            assert answers(url) == {status}


def assert_soon(holds: Callable[[], bool], *, seconds: float = 10) -> None:
    started = time.monotonic()
    while not holds():
        assert time.monotonic() - started < seconds
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_service_on_a_unix_socket_answers_while_it_drains(tmp_path: Path, seven: bytes, workers: str) -> None:
    path = tmp_path / "socket"
    transport = httpx.HTTPTransport(uds=str(path), retries=3)
    settings = {"HOST": f"unix:{path}", "WORKERS": workers, "DRAIN_SECONDS": "3"}
    process = subprocess.Popen([sys.executable, "-m", "app"], cwd=ROOT, env={**os.environ, **settings})
    try:
        with httpx.Client(transport=transport, base_url="http://service", headers={"connection": "close"}) as client:
            assert_soon(lambda: path.exists() and client.get("/health/ready").status_code == 200, seconds=60)
            assert client.post("/predict", content=seven).json()["digit"] == 7
            process.send_signal(signal.SIGTERM)
            assert_soon(lambda: client.get("/health/ready").status_code == 503)
            assert client.post("/predict", content=seven).json()["digit"] == 7
        assert process.wait(30) == 0
        assert not path.exists()
    finally:
        process.kill()


@pytest.mark.slow
def test_python_urllib_hears_that_its_body_is_too_large() -> None:
    with service(WORKERS="1") as (_, url):
        for path in ("/predict", "/feedback"):
            request = urllib.request.Request(f"{url}{path}", data=bytes(30_000_000))  # noqa: S310
            request.add_header("Content-Type", "image/png")
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(request)  # noqa: S310
            assert refused.value.code == (413 if path == "/predict" else 404)
            refused.value.close()
