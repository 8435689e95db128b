import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from app import healthcheck


@contextmanager
def service(status: int) -> Iterator[int]:
    """Answer every GET with this status; yield the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/health/ready"
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b"the reason")

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_a_ready_service_is_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    with service(200) as port:
        monkeypatch.setenv("PORT", str(port))
        healthcheck.main()


def test_a_service_that_is_not_ready_or_not_reachable_is_unhealthy(monkeypatch: pytest.MonkeyPatch) -> None:
    with service(503) as port:
        monkeypatch.setenv("PORT", str(port))
        with pytest.raises(SystemExit, match="answered 503: the reason"):
            healthcheck.main()
    with pytest.raises(SystemExit, match="did not answer"):
        healthcheck.main()


def test_a_service_on_a_unix_socket_is_asked_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    monkeypatch.setenv("HOST", f"unix:{path}")
    with pytest.raises(SystemExit, match=f"unix:{path}/health/ready did not answer"):
        healthcheck.main()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        thread = Thread(target=answer_once, args=[listener])
        thread.start()
        healthcheck.main()
        thread.join()


def answer_once(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        assert connection.recv(1000).startswith(b"GET /health/ready HTTP/1.1\r\n")
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
