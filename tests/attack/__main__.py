"""Start a service, attack it for an hour or for a given time, and print the effects.

    python -m tests.attack [--minutes 60] [--seed 0]

First, each attack runs alone, and the conversations of some seeds are compared with stock uvicorn. Then all bombs are
sent in random order, several at a time, together with valid requests (the mix). The exit status is 1 if the mix exceeds
a limit.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path

from benchmarks.processes import unwind_when_terminated
from tests.attack import limits
from tests.attack.bombs import BOMBS, Bomb
from tests.attack.connections import ATTACKS, until_served_again
from tests.attack.differential import faults
from tests.attack.losses import CLIENTS, Losses, measure
from tests.attack.servers import service, stock
from tests.attack.target import PATIENCE_SECONDS, Outcome, Target, send
from tests.attack.witnesses import Window, quantile

_AT_ONCE = 4
_CONVERSATIONS_AT_ONCE = 200
_STRETCH_SECONDS = 10.0
"""The interval between two measurements of the memory."""


def main() -> None:
    """Run all attacks."""
    parser = argparse.ArgumentParser(prog="python -m tests.attack", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60, help="how long the mix goes on")
    parser.add_argument("--seed", type=int, default=0, help="from which conversations and mixes are generated")
    parser.add_argument("--mix-only", action="store_true", help="leave out what comes before the mix")
    arguments = parser.parse_args()
    unwind_when_terminated()
    if not arguments.mix_only:
        _each_alone()
        _compare_with_stock(arguments.seed)
    sys.exit(0 if _mix(arguments.seed, arguments.minutes * 60) else 1)


def _say(*cells: object) -> None:
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)  # noqa: T201 - this is what it is for


def _title(*names: str) -> None:
    _say()
    _say(*names)
    _say(*("---" for _ in names))


def _each_alone() -> None:
    with Target() as target:
        _title(
            "attack",
            "seen",
            "s",
            "loop lag, ms",
            "bare server's, ms",
            "worker, MB",
            "reading, MB",
            "grew, MB",
            "faults",
        )
        for make in BOMBS.values():
            bomb = make()
            outcome = target.throw(bomb.name, [bomb])
            _tell(outcome, limits.faults(outcome, most_mb=limits.for_bomb(bomb)))
        for name, attack in ATTACKS.items():
            outcome = target.observe(name, attack.run)
            _tell(
                outcome,
                limits.faults(
                    outcome, most_mb=attack.most_mb, most_seconds=PATIENCE_SECONDS, most_lag_ms=attack.most_lag_ms
                ),
            )


def _tell(outcome: Outcome, found: str) -> None:
    window, memory = outcome.window, outcome.memory
    lags = (f"{lag:.0f}" for lag in (window.worst(), window.worst_reference()))
    sizes = (f"{size:.0f}" for size in (memory.worker, memory.reading, memory.growth))
    _say(outcome.name, outcome.seen, f"{outcome.seconds:.2f}", *lags, *sizes, found)


def _compare_with_stock(seed: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _title("what is compared", "service", "stock uvicorn")
        with service(folder) as ours, stock(folder) as theirs:
            seeds = range(seed, seed + 2500)
            found = asyncio.run(faults(ours.address, theirs.address, seeds))
        _say(f"{len(seeds):,} conversations: not as stock has it", len(found), "")
        for fault in found[:20]:
            _say(fault.replace("|", "/"), "", "")
        with service(folder, descriptors=150) as ours, stock(folder, descriptors=150) as theirs:
            seconds = [f"{until_served_again(server, idle=250):.1f} s" for server in (ours, theirs)]
        _say("no descriptor left: others are served again after", *seconds)
        with service(folder, workers=2) as server:
            our_losses = asyncio.run(measure(server))
        with stock(folder, workers=2) as server:
            _tell_losses(our_losses, asyncio.run(measure(server)))


def _tell_losses(ours: Losses, theirs: Losses) -> None:
    for event, name, held in (
        ("a worker killed", "killed", "held_by_killed"),
        ("a worker stopped", "stopped", "held_by_stopped"),
        ("all stopped, clients idle", "idle", None),
    ):
        cells = []
        for losses in (ours, theirs):
            tally = getattr(losses, name)
            had = f" (it had {getattr(losses, held)})" if held else ""
            cells.append(f"{tally.broken} broken{had}, {tally.refused} refused, {tally.answered} answered")
        _say(f"{event}, {CLIENTS} clients", *cells)


@cache
def _bomb(name: str) -> Bomb:
    return BOMBS[name]()


class _Mix:
    """All bombs in random order, several at a time, and the effects observed meanwhile."""

    def __init__(self, target: Target, seed: int) -> None:
        self._target = target
        self._draw = random.Random(seed)  # noqa: S311 - the seed makes it repeatable
        self.window = Window()
        self.worker_mb = self.reading_mb = 0.0
        self.statuses: Counter[int] = Counter()
        self.unexpected: Counter[str] = Counter()
        self.restarts = 0

    def run(self, seconds: float) -> None:
        """Send bombs for `seconds` seconds."""
        end = time.monotonic() + seconds
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            while time.monotonic() < end:
                stretch = min(end, time.monotonic() + _STRETCH_SECONDS)
                throwers = [threads.submit(self._throw, self._draw.getrandbits(32), stretch) for _ in range(_AT_ONCE)]
                for thrower in throwers:
                    self._count(thrower)
                self._look()

    def _throw(self, seed: int, until: float) -> list[tuple[str, int]]:
        draw = random.Random(seed)  # noqa: S311 - likewise
        outcomes = []
        while time.monotonic() < until:
            name = draw.choice(list(BOMBS))
            outcomes.append((name, send(self._target.server.address, _bomb(name).bytes())))
        return outcomes

    def _count(self, thrower: "Future[list[tuple[str, int]]]") -> None:
        for name, status in thrower.result():
            self.statuses[status] += 1
            if status not in _bomb(name).statuses:
                self.unexpected[f"{name}: {status}"] += 1

    def _look(self) -> None:
        memory = self._target.memory.window()
        self.worker_mb = max(self.worker_mb, memory.worker)
        self.reading_mb = max(self.reading_mb, memory.reading)
        self.window.add(self._target.witnesses.window())
        if not self._target.reads_large_pictures():
            self.restarts += 1
            self._target.restart()


def _mix(seed: int, seconds: float) -> bool:
    """Run the mix, print the effects, and tell whether all limits were kept."""
    with Target() as target:
        mix = _Mix(target, seed)
        time.sleep(5)
        idle = target.witnesses.window()
        for name in BOMBS:  # made before the mix, because it takes time
            _bomb(name)
        target.witnesses.window()
        mix.run(seconds)
    _title("mix", "median", "99 %", "99.9 %", "most")
    _tell_lags("loop lag, ms", mix.window.lags)
    _tell_lags("loop lag idle, ms", idle.lags)
    _tell_lags("lag of a bare server meanwhile, ms", mix.window.reference_lags)
    small, large = mix.window.small, mix.window.large
    _title("mix", "")
    _say("bombs, by status", dict(mix.statuses))
    _say("unexpected", dict(mix.unexpected))
    _say("largest worker, MB", round(mix.worker_mb))
    _say("largest process that it started, MB", round(mix.reading_mb))
    _say("good small pictures", dict(small))
    _say("good large pictures", dict(large))
    _say("times that large pictures were held up, and the service started anew", mix.restarts)
    return (
        quantile(mix.window.lags, 0.999) <= limits.MIXED_LAG_MS
        and mix.worker_mb <= limits.WORKER_MB
        and small["lost"] + small["wrong"] + large["lost"] + mix.restarts == 0
        and not mix.unexpected
    )


def _tell_lags(name: str, lags: list[float]) -> None:
    _say(name, *(f"{quantile(lags, share):.1f}" for share in (0.5, 0.99, 0.999, 1.0)))


if __name__ == "__main__":
    main()
