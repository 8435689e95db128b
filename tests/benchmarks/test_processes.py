import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.environments import ROOT
from benchmarks.processes import Program, running

# A leader with a child that leaves its process group, as daemons do; both print when they are up.
FAMILY = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
print("up", flush=True)
time.sleep(60)
"""


def wait_for(program: Program, lines: int) -> None:
    while program.log.read_text().count("up") < lines:
        assert not program.has_ended()


def test_all_processes_of_a_program_are_ended(tmp_path: Path) -> None:
    with running([sys.executable, "-c", FAMILY], folder=tmp_path, environment={}, log=tmp_path / "log") as program:
        wait_for(program, 2)
        assert len(program.processes()) == 2
        assert program.resident_mb() > 1
        assert program.largest_resident_mb() > 1
    assert program.processes() == []


def test_the_processor_time_is_the_sum_over_all_processes(tmp_path: Path) -> None:
    busy = FAMILY.replace(
        "time.sleep(60)", "while time.process_time() < 0.2: pass\nprint('up', flush=True)\ntime.sleep(60)"
    )
    with running([sys.executable, "-c", busy], folder=tmp_path, environment={}, log=tmp_path / "log") as program:
        wait_for(program, 4)
        assert 0.35 < program.processor_seconds() < 2


def test_a_program_is_ended_after_an_error(tmp_path: Path) -> None:
    programs = []

    def interrupted() -> None:
        command = [sys.executable, "-c", FAMILY]
        with running(command, folder=tmp_path, environment={}, log=tmp_path / "log") as program:
            programs.append(program)
            wait_for(program, 2)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert programs[0].processes() == []


def test_a_program_has_its_own_environment_and_log(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import os; print('port', os.environ['PORT'])"]
    with running(command, folder=tmp_path, environment={"PORT": "7"}, log=tmp_path / "log") as program:
        program.process.wait()
        assert program.has_ended()
    assert program.log_tail() == "port 7\n"


# A benchmark that has started the family when it is told to stop.
BENCHMARK = """
import sys, time
from pathlib import Path
from benchmarks.processes import running, unwind_when_terminated
unwind_when_terminated()
folder, family = Path(sys.argv[1]), sys.argv[2]
with running([sys.executable, "-c", family], folder=folder, environment={}, log=folder / "log") as program:
    print(program.token, flush=True)
    time.sleep(60)
"""


def test_a_terminated_benchmark_leaves_no_process(tmp_path: Path) -> None:
    command = [sys.executable, "-c", BENCHMARK, str(tmp_path), FAMILY]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=ROOT, text=True, **pipes) as benchmark:  # noqa: S603 - the project's own
        assert benchmark.stdout is not None
        family = Program(benchmark, benchmark.stdout.readline().strip(), tmp_path / "log")
        wait_for(family, 2)
        assert len(family.processes()) == 2
        benchmark.terminate()
    assert family.processes() == []
