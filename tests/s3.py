"""A server on this machine with the API of S3."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import fsspec
import pytest

if TYPE_CHECKING:
    from moto.server import ThreadedMotoServer


@contextmanager
def s3_server(monkeypatch: pytest.MonkeyPatch, bucket: str) -> Iterator[tuple["ThreadedMotoServer", str]]:
    """Run a server, and yield it and the address of a new bucket, with the environment that its clients need.

    All servers of a process have the same buckets.
    """
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 (takes a second, which the fast suite must not)

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    files = fsspec.filesystem("s3")
    files.mkdir(bucket)
    try:
        yield server, f"s3://{bucket}"
    finally:
        server.stop()
        files.clear_instance_cache()
