"""The service as a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parent.parent.parent


@contextmanager
def service(**settings: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run the service as a process of its own until it is ready; yield it and its address."""
    with socket.create_server(("127.0.0.1", int(settings.get("PORT", 0)))) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "app"],
        cwd=ROOT,
        env={**os.environ, "PORT": str(port), **settings},
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(url)
        yield process, url
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its workers too, who hold the pipe open
        process.communicate()


def wait_until_ready(url: str) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            if httpx.get(f"{url}/health/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)  # the port is not open yet
    pytest.fail("the service was not ready within a minute")
