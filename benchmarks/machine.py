"""Describe the machine of a benchmark: processor, system, versions, commit. No names of people or paths."""

import importlib.metadata
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel

from benchmarks.environments import ROOT

_PACKAGES = (
    "fastapi",
    "uvicorn",
    "uvloop",
    "httptools",
    "pydantic",
    "openvino",
    "kornia-rs",
    "pillow",
    "opencv-python-headless",
)


class Machine(BaseModel):
    """The machine and the software of a run."""

    processor: str
    cores: int
    memory_gb: int
    system: str
    python: str
    packages: dict[str, str]
    commit: str
    date: str
    busy: float
    """The load average over the minute before the run: near 0 on an idle machine."""

    @classmethod
    def here(cls) -> "Machine":
        """Describe this machine as it is now."""
        return cls(
            processor=_processor(),
            cores=len(os.sched_getaffinity(0)),
            memory_gb=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3),
            system=f"{platform.system()} {platform.release().split('-')[0]}",
            python=platform.python_version(),
            packages={name: installed_version(name) for name in _PACKAGES},
            commit=_commit(),
            date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            busy=round(os.getloadavg()[0], 2),
        )


def installed_version(package: str) -> str:
    """Return the installed version of a package."""
    return importlib.metadata.version(package)


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _commit() -> str:
    """Return the short commit, with a plus sign if the working tree differs from it."""
    commit = _git("rev-parse", "--short", "HEAD")
    changed = _git("status", "--porcelain", "--", "app", "imaging", "training", "benchmarks", "models")
    return f"{commit}+" if changed else commit


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603
