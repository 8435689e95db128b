import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks import closed_loop
from benchmarks.closed_loop import MissingToolError, require_wrk
from benchmarks.payloads import Body

needs_wrk = pytest.mark.skipif(shutil.which("wrk") is None, reason="the load generator wrk is not installed")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        right = (self.headers["content-type"], body) == ("image/png", b"\0picture")
        self.send_response(200 if right else 400)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Be quiet."""


@contextmanager
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}/predict"
        listening.shutdown()
        thread.join()


@pytest.mark.slow
@needs_wrk
def test_the_body_is_sent_unchanged_and_the_latency_is_measured() -> None:
    with server() as url:
        load = closed_loop.drive(url, Body("image/png", b"\0picture"), connections=2, seconds=1)
    assert load.rate > 0
    assert (load.refused, load.broken) == (0, 0)
    assert load.milliseconds[99.9] >= load.milliseconds[50] > 0


@pytest.mark.slow
@needs_wrk
def test_other_statuses_do_not_count_for_the_rate() -> None:
    with server() as url:
        load = closed_loop.drive(url, Body("image/png", b"another"), connections=2, seconds=1)
    assert load.rate == 0
    assert load.refused > 0


def test_the_error_for_a_missing_load_generator_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingToolError, match="apt-get install wrk"):
        require_wrk()
