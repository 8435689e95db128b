import signal
import subprocess
import sys
from pathlib import Path

import pytest

from training.errors import AlreadyRunning, FolderError
from training.publishing.workspace import checkpoint_path, training_lock

HOLD = """
import sys, time
from pathlib import Path
from training.publishing.workspace import training_lock
with training_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_run_raises_an_error_with_the_process_of_the_first(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True) as first:  # noqa: S603 (ours)
        assert first.stdout
        assert first.stdout.readline() == "held\n"
        with pytest.raises(AlreadyRunning, match=rf"uses .* \(process {first.pid}\)"), training_lock(tmp_path):
            pytest.fail("two runs hold the lock")
        first.send_signal(signal.SIGKILL)
    with training_lock(tmp_path):
        pass  # the lock was released with the process


def test_the_lock_can_be_taken_again(tmp_path: Path) -> None:
    for _ in range(2):
        with training_lock(tmp_path):
            pass


def test_an_exception_inside_the_lock_is_propagated(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), training_lock(tmp_path):
        _ = 1 / 0
    with training_lock(tmp_path):
        pass


def test_a_folder_that_cannot_be_created_raises_an_error(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("a file")
    with (
        pytest.raises(FolderError, match=r"notes/\.training cannot be created: Not a directory"),
        training_lock(tmp_path / "notes"),
    ):
        pytest.fail("A file is not a folder.")


def test_checkpoints_are_in_a_hidden_folder(tmp_path: Path) -> None:
    assert checkpoint_path(tmp_path, "convnet").relative_to(tmp_path).parts[0].startswith(".")
    assert checkpoint_path(tmp_path, "convnet") != checkpoint_path(tmp_path, "softmax")
