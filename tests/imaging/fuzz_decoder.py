"""Fuzzes the reading of pictures, guided by coverage. Needs atheris (pip install atheris) beside the requirements.

    python -m tests.imaging.fuzz_decoder -max_total_time=300 [CORPUS...]

It stops at the first input that lets out anything but a PictureError, or that takes too long, and writes it to a file.
What it finds becomes an example in test_fuzz.py.
"""

import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["imaging", "PIL"]):
    from imaging import PictureError, preprocess_picture

from tests.imaging.test_fuzz import FILES

SECONDS_FOR_ONE = 5


def read(data: bytes) -> None:
    with suppress(PictureError):
        preprocess_picture(data, max_pixels=1_000_000)


def main() -> None:
    """Begin with a whole file of each format."""
    with tempfile.TemporaryDirectory() as folder:
        for name, data in FILES.items():
            (Path(folder) / name.replace(" ", "-")).write_bytes(data)
        # The process as a whole grows under instrumentation, whatever is read: only single allocations are bounded.
        limits = [f"-timeout={SECONDS_FOR_ONE}", "-malloc_limit_mb=512", "-rss_limit_mb=0"]
        atheris.Setup([*sys.argv, *limits, folder], read)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
