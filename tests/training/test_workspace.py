import signal
import subprocess
import sys
from pathlib import Path

import pytest

from training.errors import AlreadyRunning
from training.workspace import checkpoint_path, only_run

HOLD = """
import sys, time
from pathlib import Path
from training.workspace import only_run
with only_run(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_run_is_told_of_the_first(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True) as first:  # noqa: S603 (ours)
        assert first.stdout
        assert first.stdout.readline() == "held\n"
        with pytest.raises(AlreadyRunning, match=rf"at work in .* \(process {first.pid}\)"), only_run(tmp_path):
            pytest.fail("two at once")
        first.send_signal(signal.SIGKILL)
    with only_run(tmp_path):
        pass  # the lock went with the process


def test_one_run_follows_another(tmp_path: Path) -> None:
    for _ in range(2):
        with only_run(tmp_path):
            pass


def test_an_error_within_is_not_taken_for_another_run(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), only_run(tmp_path):
        _ = 1 / 0
    with only_run(tmp_path):
        pass


def test_what_is_kept_is_hidden_from_those_who_look_for_models(tmp_path: Path) -> None:
    assert checkpoint_path(tmp_path, "convnet").relative_to(tmp_path).parts[0].startswith(".")
    assert checkpoint_path(tmp_path, "convnet") != checkpoint_path(tmp_path, "softmax")
