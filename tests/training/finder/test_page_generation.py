import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from training.data.examples import Examples
from training.data.mnist import Mnist
from training.data.pages import Pages, draw_pages
from training.finder.page_generation import BATCHES_AHEAD, generate_batches, generate_pages


def assert_equal(pages: Pages, expected: Pages) -> None:
    for array, expected_array in zip(pages, expected, strict=True):
        np.testing.assert_array_equal(array, expected_array)


@pytest.mark.parametrize("processes", [1, 2])
def test_batches_are_those_of_one_process_in_order(bars: Mnist, processes: int) -> None:
    batches = range(3, 3 + BATCHES_AHEAD + 3)
    with generate_batches(bars.train, seed=5, batch_size=2, batches=batches, processes=processes) as generated:
        for batch, pages in zip(batches, generated, strict=True):
            assert_equal(pages, draw_pages(bars.train, 5, 2 * batch, 2))


def test_all_pages_are_returned_together(bars: Mnist) -> None:
    assert_equal(generate_pages(bars.test, seed=1, count=7, batch_size=3), draw_pages(bars.test, 1, 0, 7))


def test_an_error_in_a_background_process_is_raised() -> None:
    nothing = Examples(np.zeros((0, 28, 28), np.uint8), np.zeros(0, np.int32))
    with pytest.raises(ValueError, match="high <= 0"):  # there is no digit to choose
        generate_pages(nothing, seed=1, count=30)


# Prints the ids of its background processes, and waits.
GENERATE = """
import multiprocessing, time
from training.data.synthetic_examples import generate_digits
from training.finder.page_generation import generate_batches
import numpy as np
if __name__ == "__main__":
    with generate_batches(generate_digits(20, np.random.default_rng(0)), 1, 1, range(10 ** 6)) as batches:
        next(batches)
        print(*(child.pid for child in multiprocessing.active_children()), flush=True)
        for batch in batches:
            time.sleep(0.01)
"""


def exists(pid: int) -> bool:
    """Return whether a process exists, and is not only waiting for its parent to notice its end."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_the_background_processes_end_with_the_training_program(tmp_path: Path, how: signal.Signals) -> None:
    program = tmp_path / "generate.py"
    program.write_text(GENERATE)
    environment = {**os.environ, "PYTHONPATH": os.fspath(Path(__file__).parents[3])}
    command = [sys.executable, program]
    with subprocess.Popen(  # noqa: S603 (ours)
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    ) as process:
        assert process.stdout
        assert process.stderr
        children = [int(pid) for pid in process.stdout.readline().split()]
        assert children
        if how == signal.SIGINT:
            os.killpg(process.pid, how)  # as a terminal sends Ctrl-C: to all of them
        else:
            process.send_signal(how)
        errors = process.stderr.read()  # until the last process has closed it
    assert errors.count("Traceback") == (how == signal.SIGINT)
    end = time.monotonic() + 20
    while any(map(exists, children)):
        assert time.monotonic() < end, "a background process did not end"
        time.sleep(0.05)  # nobody reports the end of a grandchild
