import subprocess
import sys

import pytest

PROGRAM = """
import os
from training.quiet import import_tensorflow
import_tensorflow()
import tensorflow
os.write(2, b"heard")
"""


@pytest.mark.slow
def test_only_the_import_is_silent() -> None:
    result = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True)  # noqa: S603 (ours)
    assert result.stderr == b"heard"
    assert result.stdout == b""
