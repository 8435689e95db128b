"""Generate load in a closed loop, with wrk. Knows addresses and request bodies, and no server."""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from pydantic import BaseModel

from benchmarks.payloads import Body

_SCRIPT = Path(__file__).parent / "post.lua"
_GRACE_SECONDS = 30


class MissingToolError(Exception):
    """A load generator is not installed. The message says how to install it."""


class ClosedLoad(BaseModel):
    """The results of a closed loop, in which each connection sends its next request when the last is answered."""

    rate: float
    """Answers with status 2xx a second."""
    milliseconds: dict[float, float]
    """The latency at each percentile, of all answers."""
    refused: int
    """Answers with another status."""
    broken: int
    """Connections refused or broken, and answers that did not come within two seconds."""


def require_wrk() -> str:
    """Return the version of wrk, or raise MissingToolError."""
    if shutil.which("wrk") is None:
        message = "The load generator wrk is not installed. On Debian: apt-get install wrk."
        raise MissingToolError(message)
    printed = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False).stdout  # noqa: S607
    return printed.split()[1].removeprefix("debian/")


def drive(url: str, body: Body, *, connections: int, seconds: int) -> ClosedLoad:
    """Send requests over `connections` connections for `seconds` seconds, from one thread."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(_SCRIPT), url]
    with tempfile.NamedTemporaryFile() as file:
        file.write(body.data)
        file.flush()
        printed = subprocess.run(  # noqa: S603 - the command is the one above
            command,
            env={**os.environ, "BODY_FILE": file.name, "CONTENT_TYPE": body.content_type},
            capture_output=True,
            text=True,
            timeout=seconds + _GRACE_SECONDS,
            check=True,
        ).stdout
    found = json.loads(printed.splitlines()[-1])
    return ClosedLoad(
        rate=(found["answers"] - found["refused"]) / (found["duration"] / 1e6),
        milliseconds={float(share): value / 1000 for share, value in found["percentiles"].items()},
        refused=found["refused"],
        broken=found["broken"],
    )
