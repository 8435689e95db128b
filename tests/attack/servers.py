"""The service, and stock uvicorn with the same application, each in processes of its own.

Knows how to start them, which of their processes are workers, and what memory each process takes. Linux only.
"""

import re
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from benchmarks.processes import Program, running

ROOT = Path(__file__).parent.parent.parent
_PATIENCE_SECONDS = 60
_MODELS = 2
"""The number of published models."""
_SAMPLE_SECONDS = 0.02
_LISTEN = "0A"  # proc(5), /proc/net/tcp
_RESET_PEAK = "5"  # proc(5), /proc/pid/clear_refs
QUIET = {"ACCESS_LOG": "false", "OPENCV_FOR_THREADS_NUM": "1"}


@dataclass(frozen=True)
class Server:
    """A running server that is ready."""

    program: Program
    port: int
    workers_wanted: int

    @property
    def address(self) -> tuple[str, int]:
        """Return its address."""
        return "127.0.0.1", self.port

    def workers(self) -> list[int]:
        """Return the ids of its worker processes: those that a supervisor started, or the only process."""
        if self.workers_wanted == 1:
            return [self.program.process.pid]
        return [pid for pid in _children(self.program.process.pid) if b"spawn_main" in _read(pid, "cmdline")]

    def models_loaded(self) -> int:
        """Return how often a worker has loaded all models, from the log."""
        return sum("model ready" in line for line in self.log_lines()) // _MODELS

    def reading(self) -> list[int]:
        """Return the ids of the processes that its workers have started."""
        return [pid for worker in self.workers() for pid in _descendants(worker)]

    def log_lines(self) -> list[str]:
        """Return its output."""
        return self.program.log.read_text(errors="replace").splitlines()


@contextmanager
def service(
    folder: Path,
    settings: Mapping[str, str] | None = None,
    *,
    workers: int = 1,
    descriptors: int | None = None,
    ready: bool = True,
) -> Iterator[Server]:
    """Run the service, with its log in `folder`. With `ready=False` it may fail to start."""
    port = _free_port()
    environment = {**QUIET, "PORT": str(port), "WORKERS": str(workers), **(settings or {})}
    with _server(
        [sys.executable, "-m", "app"], folder / f"service-{port}.log", port, workers, descriptors, environment
    ) as it:
        if ready:
            wait_until_ready(it)
        yield it


@contextmanager
def stock(folder: Path, *, workers: int = 1, descriptors: int | None = None) -> Iterator[Server]:
    """Run the same application on stock uvicorn."""
    port = _free_port()
    command = [sys.executable, "-m", "uvicorn", "--factory", "app.main:create_app", "--http", "httptools"]
    command += ["--port", str(port), "--workers", str(workers), "--no-access-log"]
    with _server(command, folder / f"stock-{port}.log", port, workers, descriptors, QUIET) as it:
        wait_until_ready(it)
        yield it


@contextmanager
def _server(
    command: Sequence[str],
    log: Path,
    port: int,
    workers: int,
    descriptors: int | None,
    environment: Mapping[str, str],
) -> Iterator[Server]:
    if descriptors is not None:
        command = ["sh", "-c", f'ulimit -n {descriptors}; exec "$@"', "sh", *command]
    with running(command, folder=ROOT, environment=environment, log=log) as program:
        yield Server(program, port, workers)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def wait_until_ready(server: Server) -> None:
    """Wait until a server has loaded its models.

    Raises:
        RuntimeError: if it ends, or is not ready within a minute.

    """
    end = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < end and not server.program.has_ended():
        with suppress(OSError), socket.create_connection(server.address, 5) as connection:
            connection.sendall(b"GET /health/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            if connection.recv(100).startswith(b"HTTP/1.1 200") and server.models_loaded() >= server.workers_wanted:
                return
        time.sleep(0.05)
    message = f"The server is not ready. The end of its log: {server.program.log_tail()}"
    raise RuntimeError(message)


@dataclass(frozen=True)
class Memory:
    """The largest resident memory in a period, in MB."""

    worker: float
    """The memory of the largest worker."""
    reading: float
    """The memory of the largest process that a worker has started; 0 without such a process."""
    growth: float
    """The growth of both since the beginning."""


class MemoryWatch:
    """Samples the memory of a server's processes. `window` returns the maxima since the last call."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._begin()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join()

    def window(self) -> Memory:
        """Return the maxima since the last call, and reset them."""
        with self._lock:
            self._sample()
            growth = self._worker - self._worker_base + self._reading - self._reading_base
            result = Memory(self._worker, self._reading, growth)
            self._begin()
        return result

    def _begin(self) -> None:
        self._worker = self._reading = 0.0
        for pid in (*self._server.workers(), *self._server.reading()):
            with suppress(OSError):  # it has ended
                Path(f"/proc/{pid}/clear_refs").write_text(_RESET_PEAK)
        self._sample()
        self._worker_base, self._reading_base = self._worker, self._reading

    def _run(self) -> None:
        while not self._stop.wait(_SAMPLE_SECONDS):
            with self._lock:
                self._sample()

    def _sample(self) -> None:
        self._worker = max(self._worker, *map(peak_mb, self._server.workers()), 0.0)
        self._reading = max(self._reading, *map(peak_mb, self._server.reading()), 0.0)


def peak_mb(pid: int) -> float:
    """Return the peak resident memory of a process since the last reset, in MB; 0 if the process has ended."""
    found = re.search(rb"VmHWM:\s+(\d+) kB", _read(pid, "status"))
    return int(found[1]) * 1024 / 1e6 if found else 0.0


def _descendants(pid: int) -> list[int]:
    found = []
    for child in _children(pid):
        found += [child, *_descendants(child)]
    return found


def _children(pid: int) -> list[int]:
    files = Path(f"/proc/{pid}/task").glob("*/children")
    return sorted(int(child) for file in files for child in _text(file).split())


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # the process has ended
        return ""


def _read(pid: int, file: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{file}").read_bytes()
    except OSError:  # as above
        return b""


def peers(port: int, *, pid: int | None = None) -> set[int]:
    """Return the client ports of the open connections to `port`, of any process or of the process `pid`."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    held = [line for line in lines if line[1].endswith(f":{port:04X}") and line[9] != "0" and line[3] != _LISTEN]
    if pid is not None:
        files = _open_files(pid)
        held = [line for line in held if f"socket:[{line[9]}]" in files]
    return {int(line[2].rpartition(":")[2], 16) for line in held}


def _open_files(pid: int) -> set[str]:
    files = set()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):  # closed meanwhile
            files.add(str(file.readlink()))
    return files
