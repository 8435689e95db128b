"""Create a virtual environment for each server, with exactly the packages that its requirements pin."""

import subprocess
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent
PEERS = Path(__file__).parent / "peers"
SERVICE = ROOT / "requirements" / "serve.txt"
"""The requirements that users install. With the development requirements, the service would need more memory."""
CACHE = ROOT / ".bench"
"""Environments, logs and other files that can be made again. Git ignores this folder."""


class PeerUnavailableError(Exception):
    """A peer cannot be installed or started. The message says why."""


def make_cache() -> None:
    """Make the cache folder, with a `.gitignore` file for the whole folder."""
    CACHE.mkdir(exist_ok=True)
    (CACHE / ".gitignore").write_text("*\n")


def prepare(name: str, requirements: Path | None = None) -> Path:
    """Return the `bin` folder of an environment. Make the environment anew if its requirements have changed.

    Args:
        name: The name of the peer, or of the environment.
        requirements: The requirements file. The default is the peer's own.

    Raises:
        PeerUnavailableError: if the requirements cannot be installed.

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
    """Return the version of a package that a peer's requirements pin."""
    lines = (PEERS / peer / "requirements.txt").read_text().splitlines()
    return next(line.split("==")[1].split()[0] for line in lines if line.startswith(f"{package}=="))
