"""Starts a program, knows all processes that come of it, and ends them. Knows nothing of what it does. Linux only."""

import os
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

_TOKEN = "BENCHMARK_TOKEN"  # noqa: S105 - marks a program's processes, opens nothing
_PATIENCE_SECONDS = 10.0
_STRAGGLERS_SECONDS = 0.5


@dataclass(frozen=True)
class Program:
    """A running program: the process that was started, and whatever inherited its environment."""

    leader: subprocess.Popen[bytes]
    token: str
    log: Path

    def processes(self) -> list[int]:
        """Find the ids of all its processes, also of those that left its process group."""
        mark = f"{_TOKEN}={self.token}".encode()
        return [pid for pid in _all_processes() if mark in _read(pid, "environ").split(b"\0")]

    def resident_mb(self) -> float:
        """Add up the memory that its processes hold, in MB, what several of them share counted once."""
        rollups = [_read(pid, "smaps_rollup").decode() for pid in self.processes()]
        return sum(_field(rollup, "Pss") for rollup in rollups)

    def largest_resident_mb(self) -> float:
        """Give the resident memory of its largest process, in MB, all that it shares included."""
        return max(_field(_read(pid, "status").decode(), "VmRSS") for pid in self.processes())

    def processor_seconds(self) -> float:
        """Add up the processor time that its processes have had so far."""
        ticks = 0
        for pid in self.processes():
            fields = _read(pid, "stat").decode().rpartition(")")[2].split()
            ticks += sum(int(field) for field in fields[11:13])  # in user mode and in the kernel
        return ticks / os.sysconf("SC_CLK_TCK")

    def has_ended(self) -> bool:
        """Tell whether the process that was started is gone."""
        return self.leader.poll() is not None

    def last_words(self) -> str:
        """Give the end of what it printed."""
        return self.log.read_text(errors="replace")[-2000:]


@contextmanager
def running(command: Sequence[str], *, folder: Path, environment: Mapping[str, str], log: Path) -> Iterator[Program]:
    """Run a program for as long as the context lasts, its output going to `log`; then end all that came of it."""
    token = uuid.uuid4().hex
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        leader = subprocess.Popen(  # noqa: S603 - commands are this project's own
            command,
            cwd=folder,
            env={**os.environ, **environment, _TOKEN: token},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C comes to us alone, and we end it in order
        )
    program = Program(leader, token, log)
    try:
        yield program
    finally:
        _end(program)


def unwind_when_terminated() -> None:
    """Make SIGTERM, and SIGINT even where a shell has it ignored, unwind this process: what it started is ended too."""

    def leave(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, leave)


def _end(program: Program) -> None:
    """Ask the leader to stop, which stops the others if it is well written; end by force what is left."""
    program.leader.terminate()
    try:
        program.leader.wait(_PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        program.leader.kill()
    deadline = time.monotonic() + _STRAGGLERS_SECONDS
    while time.monotonic() < deadline and program.processes():
        time.sleep(0.02)
    while left := program.processes():
        for pid in left:
            with suppress(ProcessLookupError):  # it ended by itself
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
    program.leader.wait()


def _all_processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]


def _read(pid: int, file: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{file}").read_bytes()
    except OSError:  # it has ended, or belongs to somebody else
        return b""


def _field(text: str, name: str) -> float:
    """Read a field of /proc that is given in kB, in MB; 0 where it is missing because the process has ended."""
    for line in text.splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1000 * 1.024
    return 0.0
