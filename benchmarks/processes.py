"""Start a program, find all of its processes, and end them. Knows nothing of what the program does. Linux only."""

import os
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

_TOKEN = "BENCHMARK_TOKEN"  # noqa: S105 - no secret: it marks the processes of a program
_TERMINATION_SECONDS = 10.0
"""The time for the started process to end after SIGTERM."""
_CHILDREN_SECONDS = 0.5
"""The time for the other processes to end after that."""


@dataclass(frozen=True)
class Program:
    """A running program: the started process, and all processes that inherited its environment."""

    process: subprocess.Popen[bytes]
    token: str
    log: Path

    def processes(self) -> list[int]:
        """Return the ids of all of its processes, including those that left its process group."""
        mark = f"{_TOKEN}={self.token}".encode()
        return [pid for pid in _all_processes() if mark in _read(pid, "environ").split(b"\0")]

    def resident_mb(self) -> float:
        """Return the memory of all of its processes in MB. Shared memory is counted once (PSS)."""
        rollups = [_read(pid, "smaps_rollup").decode() for pid in self.processes()]
        return sum(_field(rollup, "Pss") for rollup in rollups)

    def largest_resident_mb(self) -> float:
        """Return the resident memory of its largest process in MB, including shared memory (RSS)."""
        return max(_field(_read(pid, "status").decode(), "VmRSS") for pid in self.processes())

    def processor_seconds(self) -> float:
        """Return the processor time of all of its processes so far, in seconds."""
        ticks = 0
        for pid in self.processes():
            fields = _read(pid, "stat").decode().rpartition(")")[2].split()
            ticks += sum(int(field) for field in fields[11:13])  # in user mode and in the kernel
        return ticks / os.sysconf("SC_CLK_TCK")

    def has_ended(self) -> bool:
        """Tell whether the started process has ended."""
        return self.process.poll() is not None

    def log_tail(self) -> str:
        """Return the end of its output."""
        return self.log.read_text(errors="replace")[-2000:]


@contextmanager
def running(
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    log: Path,
    stdin: int = subprocess.DEVNULL,
) -> Iterator[Program]:
    """Run a program within the context, with its output in `log`. Then end all of its processes."""
    token = uuid.uuid4().hex
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - commands are this project's own
            command,
            cwd=folder,
            env={**os.environ, **environment, _TOKEN: token},
            stdin=stdin,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that Ctrl-C interrupts only this process, which then ends the program
        )
    program = Program(process, token, log)
    try:
        yield program
    finally:
        _end(program)


def free_ports(count: int) -> list[int]:
    """Return ports of 127.0.0.1 on which nothing listens."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def unwind_when_terminated() -> None:
    """Make SIGTERM and SIGINT raise KeyboardInterrupt, so that this process ends the programs that it has started.

    A shell may have set SIGINT to be ignored.
    """

    def leave(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, leave)


def _end(program: Program) -> None:
    """Terminate the started process, which should end the others. Kill the processes that are left."""
    if program.process.stdin is not None:
        program.process.stdin.close()
    program.process.terminate()
    try:
        program.process.wait(_TERMINATION_SECONDS)
    except subprocess.TimeoutExpired:
        program.process.kill()
    deadline = time.monotonic() + _CHILDREN_SECONDS
    while time.monotonic() < deadline and program.processes():
        time.sleep(0.02)
    while left := program.processes():
        for pid in left:
            with suppress(ProcessLookupError):  # it has ended meanwhile
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
    program.process.wait()


def _all_processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]


def _read(pid: int, file: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{file}").read_bytes()
    except OSError:  # the process has ended, or belongs to another user
        return b""


def _field(text: str, name: str) -> float:
    """Return a field of /proc in MB. Return 0 if it is missing, because the process has ended."""
    for line in text.splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1000 * 1.024
    return 0.0
