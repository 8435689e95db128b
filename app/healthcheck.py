"""Checks that the service in this container is ready: `python -m app.healthcheck` exits with status 1 if it is not."""

import os
import socket
import sys
from http.client import HTTPConnection, HTTPException

_TIMEOUT_SECONDS = 2
_PATH = "/health/ready"
_UNIX = "unix:"


def main() -> None:
    """Send one request to `/health/ready`, and exit with a message if the answer is not 200."""
    host, port = os.environ.get("HOST", ""), os.environ.get("PORT") or "8000"
    address = host if host.startswith(_UNIX) else f"http://127.0.0.1:{port}"
    connection = HTTPConnection("127.0.0.1", int(port), timeout=_TIMEOUT_SECONDS)
    try:
        if host.startswith(_UNIX):
            connection.sock = _connect(host.removeprefix(_UNIX))
        connection.request("GET", _PATH)
        response = connection.getresponse()
        body = response.read().decode()
    except (OSError, HTTPException) as error:
        sys.exit(f"{address}{_PATH} did not answer: {error}")
    finally:
        connection.close()
    if response.status != 200:
        sys.exit(f"{address}{_PATH} answered {response.status}: {body}")


def _connect(path: str) -> socket.socket:
    """Connect to a Unix socket."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(_TIMEOUT_SECONDS)
    try:
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection


if __name__ == "__main__":
    main()
