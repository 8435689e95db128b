"""An environment of its own for each server, with exactly the packages that its requirements pin."""

import subprocess
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent
PEERS = Path(__file__).parent / "peers"
SERVICE = ROOT / "requirements" / "serve.txt"
"""What users install. Beside the tools of development the service would be larger."""
CACHE = ROOT / ".bench"
"""Environments, logs and other things that can be made again. It hides itself from git."""


class PeerUnavailableError(Exception):
    """A peer cannot be installed or started; the message says why."""


def make_cache() -> None:
    """Make the cache folder, which git is told to pass over by a file in it."""
    CACHE.mkdir(exist_ok=True)
    (CACHE / ".gitignore").write_text("*\n")


def prepare(name: str, requirements: Path | None = None) -> Path:
    """Give the folder of programs of an environment, which is made anew if its requirements changed.

    Args:
        name: of a peer, or of the environment.
        requirements: unless they are the peer's own.

    Raises PeerUnavailableError if they cannot be installed.

    """
    make_cache()
    folder = CACHE / name
    requirements = requirements or PEERS / name / "requirements.txt"
    installed = folder / "requirements.txt"
    if not installed.is_file() or installed.read_text() != requirements.read_text():
        print(f"Installing {name} into {folder.relative_to(ROOT)} (only when its requirements change)", flush=True)
        venv.create(folder, with_pip=True, clear=True)
        _install(name, folder, requirements)
        installed.write_text(requirements.read_text())
    return folder / "bin"


def _install(name: str, folder: Path, requirements: Path) -> None:
    command: list[str | Path] = [
        folder / "bin" / "python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "-r",
    ]
    outcome = subprocess.run([*command, requirements], capture_output=True, text=True, check=False)  # noqa: S603
    if outcome.returncode:
        message = f"pip could not install {name}: {outcome.stderr.strip()[-1000:]}"
        raise PeerUnavailableError(message)


def pinned_version(peer: str, package: str) -> str:
    """Look up the version of a package that a peer's requirements pin."""
    lines = (PEERS / peer / "requirements.txt").read_text().splitlines()
    return next(line.split("==")[1].split()[0] for line in lines if line.startswith(f"{package}=="))
