import subprocess
import sys

import pytest

PROGRAM = """
import os
from training.cli.silence_tensorflow import import_tensorflow
import_tensorflow()
import tensorflow
os.write(2, b"visible")
"""


@pytest.mark.slow
def test_standard_error_is_silenced_only_during_the_import() -> None:
    result = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True)  # noqa: S603 (ours)
    assert result.stderr == b"visible"
    assert result.stdout == b""
