"""Fuzz the preprocessing of pictures, guided by coverage. Needs atheris (pip install atheris) besides the requirements.

    python -m tests.imaging.fuzz_decoder -max_total_time=300 [CORPUS...]

It stops at the first input that raises an error other than a PictureError or takes too long, and writes the input to a
file. Add such an input to test_fuzz.py as an example.
"""

import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["imaging", "PIL"]):
    from imaging import PictureError, preprocess_picture

from tests.imaging.test_fuzz import FILES

MAX_SECONDS = 5
"""The most seconds for one input."""


def preprocess(data: bytes) -> None:
    with suppress(PictureError):
        preprocess_picture(data, max_pixels=1_000_000)


def main() -> None:
    """Start from a valid file of each format."""
    with tempfile.TemporaryDirectory() as folder:
        for name, data in FILES.items():
            (Path(folder) / name.replace(" ", "-")).write_bytes(data)
        # Instrumentation makes the memory of the process grow with any input, so only single allocations are bounded.
        limits = [f"-timeout={MAX_SECONDS}", "-malloc_limit_mb=512", "-rss_limit_mb=0"]
        atheris.Setup([*sys.argv, *limits, folder], preprocess)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
