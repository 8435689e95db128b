"""No request exceeds the limits for time, event loop lag and memory, or prevents answers to other requests."""

import asyncio
import json
import time
from collections.abc import Awaitable

import pytest

from tests.attack import limits
from tests.attack.bombs import BOMBS
from tests.attack.target import DEADLINE_SECONDS, PATIENCE_SECONDS, Target
from tests.attack.wire import Address, converse

_SMALL = 64 * 1024
_TICK_SECONDS = 0.002


QUICK = (
    "jpeg-empty-scans",
    "jpeg-lopsided",
    "jpeg-baseline-header-alone",
    "png-texts",
    "png-international-texts",
    "png-profiles",
    "png-cheap-with-empty-chunks",
    "png-noise",
    "png-noise-one-bit",
    "png-grid",
    "gif-frame-beyond-its-screen",
    "bmp-nothing-but-an-end",
    "tiff-tile-of-runs",
    "webp-canvas",
    "avif-that-announces-most",
    "heic-boxes",
    "pnm-cut-short",
    "instances-of-lists-in-gzip",
    "query-of-names",
    "accept",
    "type-parameters",
    "pictures-in-a-tensor",
    "batch-of-empty-scans",
)
"""Small bombs that are made fast: at least one of each kind that could block the event loop."""


@pytest.mark.anyio
async def test_small_bombs_do_not_hold_up_the_event_loop(addresses: tuple[Address, Address]) -> None:
    idle = await longest_tick(asyncio.sleep(0.2))
    for name in QUICK:
        request = BOMBS[name]().bytes().replace(b"Host: service\r\n", b"Host: service\r\nConnection: close\r\n", 1)
        lags = [await longest_tick(converse(addresses[0], [request], silence=PATIENCE_SECONDS)) for _ in range(2)]
        assert min(lags) <= limits.LAG_MS / 1000 + 4 * idle, name


async def longest_tick(work: Awaitable[object]) -> float:
    """Return the largest lag of the event loop during a call, in seconds."""
    running = asyncio.ensure_future(work)
    longest = 0.0
    while not running.done():
        started = time.perf_counter()
        await asyncio.sleep(_TICK_SECONDS)
        longest = max(longest, time.perf_counter() - started - _TICK_SECONDS)
    await running
    return longest


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_no_more_than_its_share(target: Target, name: str) -> None:
    bomb = BOMBS[name]()
    most_mb = limits.for_bomb(bomb)
    faults = limits.persistent(lambda: limits.faults(target.throw(name, [bomb]), most_mb=most_mb))
    assert not faults, faults


@pytest.mark.slow
@pytest.mark.alone
def test_all_small_bombs_at_once_cost_no_more_than_their_share(target: Target) -> None:
    bombs = [bomb for bomb in (make() for make in BOMBS.values()) if len(bomb.body) <= _SMALL]
    faults = limits.persistent(
        lambda: limits.faults(
            target.throw("small bombs", bombs),
            most_mb=limits.WORKER_MB,
            most_seconds=len(bombs) * DEADLINE_SECONDS / 10,
        )
    )
    assert not faults, faults


@pytest.mark.slow
@pytest.mark.alone
def test_all_that_is_printed_is_json(target: Target) -> None:
    """Native libraries print on standard error what they cannot decode."""
    assert [line for line in target.server.log_lines() if not _is_json(line)] == []


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True
