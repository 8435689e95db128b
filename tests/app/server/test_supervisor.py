"""The service as a process: it starts, serves with several workers, and stops without dropping what it took."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from app.observability.metrics import FLUSH_SECONDS
from app.server.supervisor import _url
from tests.app.service import ROOT, service


def test_a_bad_setting_stops_the_start() -> None:
    process = subprocess.run(
        [sys.executable, "-m", "app"], cwd=ROOT, env={**os.environ, "PORT": "99999"}, capture_output=True, check=False
    )
    assert process.returncode == 1
    assert process.stderr.decode().startswith("PORT='99999' is not valid")
    assert "Traceback" not in process.stderr.decode()


def test_a_port_that_is_taken_stops_the_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = subprocess.run(
            [sys.executable, "-m", "app"],
            cwd=ROOT,
            env={**os.environ, "PORT": str(port)},
            capture_output=True,
            check=False,
        )
    assert process.returncode == 1
    assert process.stderr.decode().startswith(f"Port {port} of 127.0.0.1 cannot be opened: Address already in use.")


@pytest.mark.parametrize(("host", "url"), [("127.0.0.1", "http://127.0.0.1:8000"), ("::1", "http://[::1]:8000")])
def test_where_it_serves_is_told_as_an_address_that_can_be_opened(host: str, url: str) -> None:
    assert _url(host, 8000) == url


@pytest.mark.slow
def test_several_workers_answer_and_add_up_their_metrics(seven: bytes) -> None:
    with service(WORKERS="2") as (_, url):
        for _ in range(20):  # a new connection each, so that both workers get some
            answer = httpx.post(f"{url}/predict", content=seven, headers={"content-type": "image/png"})
            assert answer.json()["digit"] == 7
        version = answer.json()["version"]
        time.sleep(FLUSH_SECONDS * 2)  # a worker's counts reach the others as often as that
        for _ in range(4):
            metrics = httpx.get(f"{url}/metrics", headers={"accept": "text/plain"}).text
            assert f'digitserve_predictions_total{{digit="7",model="convnet",version="{version}"}} 20.0' in metrics


@pytest.mark.slow
def test_head_has_no_body_that_the_next_answer_could_be_taken_for() -> None:
    with service(WORKERS="1") as (_, url), socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as peer:
        peer.sendall(b"HEAD /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        peer.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        head, got, body = peer.makefile("rb").read().split(b"\r\n\r\n")
    for answer in (head, got):
        assert answer.startswith(b"HTTP/1.1 200")
        assert b"content-length: %d\r\n" % len(body) in answer
    assert json.loads(body) == {"status": "live"}


@pytest.mark.slow
def test_while_a_worker_starts_the_others_answer_for_it(seven: bytes) -> None:
    def answer() -> int:
        try:
            return httpx.post(f"{url}/predict", content=seven, headers={"content-type": "image/png"}).status_code
        except httpx.TransportError:
            return 0  # the one that is killed had it

    with service(WORKERS="2") as (process, url):
        assert {answer() for _ in range(40)} == {200}  # at the start one of them is ready before the other
        killed = children(process.pid)[-1]
        os.kill(int(killed), signal.SIGKILL)
        answers = []
        end = time.monotonic() + 4  # half a second until it is missed, one until the next is ready
        while time.monotonic() < end:
            answers.append(answer())
        assert killed not in children(process.pid)
        assert set(answers) <= {0, 200}
        assert answers.count(0) <= 1


def children(process: int) -> list[str]:
    return Path(f"/proc/{process}/task/{process}/children").read_text().split()


@pytest.mark.slow
def test_workers_that_cannot_start_are_not_started_for_ever(tmp_path: Path) -> None:
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
    (given_up,) = (message for message in messages if message["event"] == "workers cannot start")
    assert given_up["level"] == "error"
    assert "start the service again" in given_up["advice"]


@pytest.mark.slow
def test_a_stop_finishes_what_was_taken(seven: bytes) -> None:
    with service(WORKERS="1") as (process, url):
        port = int(url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as slow:
            head = (
                f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: {len(seven)}\r\n\r\n"
            )
            slow.sendall(head.encode() + seven[:50])
            httpx.get(f"{url}/health/live")  # once this is answered, the request before it has been taken
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
def test_a_stop_leaves_nothing_behind(tmp_path: Path, workers: str, stop: signal.Signals) -> None:
    with service(WORKERS=workers, TMPDIR=str(tmp_path)) as (process, _):
        assert list(tmp_path.iterdir())
        process.send_signal(stop)
        assert process.wait(30) == 0
        assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_what_is_too_much_is_refused_and_answered_once_there_is_room(seven: bytes) -> None:
    as_png = {"content-type": "image/png"}
    with service(WORKERS="1", MOST_AT_ONCE="1") as (_, url), httpx.Client(base_url=url, headers=as_png) as client:
        port = int(url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as slow:
            slow.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 9\r\n\r\n")
            client.get("/health/live")  # once this is answered, the request before it has been taken
            for _ in range(3):
                refused = client.post("/predict", content=seven)
                assert refused.status_code == 503
                assert refused.headers["retry-after"] == "1"
                assert refused.json()["type"] == "urn:digitserve:problem:overloaded"
        while (answer := client.post("/predict", content=seven)).status_code == 503:  # until it is seen that it left
            time.sleep(0.01)
        assert answer.status_code == 200


@pytest.mark.slow
def test_no_connection_leaves_the_machine(tmp_path: Path, seven: bytes) -> None:
    """Run a start and a prediction under an audit that ends the process at the first look-up or outgoing connection."""
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
def test_what_one_worker_is_told_all_do_within_two_seconds(seven: bytes) -> None:
    def answers(url: str) -> set[int]:
        """Ask often enough, over a connection each time, to meet both workers."""
        sent = {"content": seven, "headers": {"content-type": "image/png"}}
        return {httpx.post(f"{url}/predict?model=softmax", **sent).status_code for _ in range(20)}  # type: ignore[arg-type]

    token = {"authorization": "Bearer secret"}
    with service(WORKERS="2", ADMIN_TOKEN="secret") as (_, url):
        load, unload = (f"{url}/v2/repository/models/softmax/{wish}" for wish in ("load", "unload"))
        refused = httpx.post(unload)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"].startswith("Bearer")
        assert "ADMIN_TOKEN" in refused.json()["error"]
        assert answers(url) == {200}
        for address, status in ((unload, 503), (load, 200)):
            assert httpx.post(address, headers=token).status_code == 200
            assert_soon(lambda status=status: answers(url) == {status})  # 2 s on a machine that does nothing else


def assert_soon(holds: Callable[[], bool]) -> None:
    started = time.monotonic()
    while not holds():
        assert time.monotonic() - started < 10
