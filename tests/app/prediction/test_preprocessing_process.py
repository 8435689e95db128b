import subprocess
import sys

import pytest

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="limits of a process are Linux's")


def run(code: str) -> subprocess.CompletedProcess[bytes]:
    """Run code in a process of its own, whose limits cannot be undone."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, timeout=60)  # noqa: S603 - ours


@LINUX
def test_a_picture_that_needs_too_much_memory_is_refused() -> None:
    process = run("""
import numpy as np
from app.prediction import preprocessing_process as process
def allocate_too_much(data, max_pixels): return np.ones(process.MAX_MEMORY_BYTES + 2**20, np.uint8)
def allocate_half(data, max_pixels): return np.ones(process.MAX_MEMORY_BYTES // 2, np.uint8).nbytes
outcome, _ = process.run_with_limits(allocate_too_much, b"", 1, 10)
print(repr(outcome), process.run_with_limits(allocate_half, b"", 1, 10)[0])
print(np.ones(2 * process.MAX_MEMORY_BYTES, np.uint8).nbytes)
""")
    outcome, after = process.stdout.decode().splitlines()
    assert outcome.startswith("PictureTooLarge('The picture takes more than 134,217,728 bytes")
    assert outcome.endswith(str(128 * 1024**2 // 2))
    assert after == str(2 * 128 * 1024**2)  # the limit applies during preprocessing only


@LINUX
def test_the_process_ends_at_the_time_limit() -> None:
    process = run("""
import time
from app.prediction import preprocessing_process as process
process.run_with_limits(lambda data, max_pixels: time.sleep(30), b"", 1, 0.2)
""")
    assert process.returncode == -14  # SIGALRM


def test_the_standard_error_of_c_libraries_is_silenced() -> None:
    process = run("""
import os
from app.prediction import preprocessing_process as process
process.run_with_limits(lambda data, max_pixels: os.write(2, b"TIFFReadDirectory: rubbish"), b"", 1, 10)
""")
    assert process.returncode == 0
    assert process.stderr == b""
