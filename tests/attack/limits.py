"""The limits for time, lag and memory during an attack, and the check of an outcome. Runs no attack."""

from collections.abc import Callable

from tests.attack.bombs import Bomb
from tests.attack.hostile_pictures import LIMIT
from tests.attack.target import DEADLINE_SECONDS, Outcome

LAG_MS = 60.0
"""The longest lag of the event loop by one bomb. The service promises 2 ms for a picture and 20 ms for a body. The rest
is a tolerance for a busy machine, whose own lag is added."""
MIXED_LAG_MS = 25.0
"""The limit for the 99.9th percentile of the lag during the mix of bombs and valid requests."""
WORKER_MB = 450.0
CONNECTION_MB = 64.0
"""The most memory for the requests of one connection, with the overhead of the allocator."""
_PICTURE_MB = 120.0
"""The most memory for one picture, besides its file."""
_TIMES_BODY = 8
_SLACK_MB = 40.0
_SLACK_SECONDS = 1.0

_TRIES = 3


def persistent(try_once: Callable[[], str]) -> str:
    """Return the faults of the last of some tries, or nothing as soon as one try shows none.

    A machine that is busy with something else must not fail a test.
    """
    found = ""
    for _ in range(_TRIES):
        found = try_once()
        if not found:
            break
    return found


def for_bomb(bomb: Bomb) -> float:
    """Return the most memory for a bomb, in MB."""
    most_body = LIMIT if any(value == "gzip" for _, value in bomb.headers) else len(bomb.body)
    for_pictures = _PICTURE_MB + len(bomb.body) / 1e6 if bomb.holds_pictures else 0.0
    return max(for_pictures, _TIMES_BODY * most_body / 1e6) + _SLACK_MB


def faults(
    outcome: Outcome,
    *,
    most_mb: float,
    most_seconds: float = DEADLINE_SECONDS + _SLACK_SECONDS,
    most_lag_ms: float = LAG_MS,
) -> str:
    """Return a description of the limits that the service exceeded; empty if it kept all of them."""
    lag, reference = outcome.window.worst(), outcome.window.worst_reference()
    most_lag = most_lag_ms + 4 * reference
    small, large, memory = outcome.window.small, outcome.window.large, outcome.memory
    found = {
        f"seen: {outcome.seen}": not outcome.as_expected,
        f"{outcome.seconds:.1f} s": outcome.seconds > most_seconds,
        f"the loop lagged {lag:.0f} ms (at most {most_lag:.0f})": lag > most_lag,
        f"{memory.growth:.0f} MB more (at most {most_mb:.0f})": memory.growth > most_mb,
        f"a worker of {memory.worker:.0f} MB (at most {WORKER_MB:.0f})": memory.worker > WORKER_MB,
        f"good requests: {dict(small)}, large {dict(large)}": bool(small["lost"] + small["wrong"] + large["lost"]),
        "large pictures are held up": outcome.held_up,
    }
    return "; ".join(fault for fault, holds in found.items() if holds)
