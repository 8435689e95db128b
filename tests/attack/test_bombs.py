"""No request costs more than its share: time, the loop's attention, memory, and its neighbours' answers."""

import json

import pytest

from tests.attack import limits
from tests.attack.bombs import BOMBS
from tests.attack.target import DEADLINE_SECONDS, Target

pytestmark = pytest.mark.slow

_SMALL = 64 * 1024


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_no_more_than_its_share(target: Target, name: str) -> None:
    bomb = BOMBS[name]()
    faults = limits.faults(target.throw(name, [bomb]), most_mb=limits.for_bomb(bomb))
    assert not faults, faults


def test_all_small_bombs_at_once_cost_no_more_than_their_share(target: Target) -> None:
    bombs = [bomb for bomb in (make() for make in BOMBS.values()) if len(bomb.body) <= _SMALL]
    outcome = target.throw("small bombs", bombs)
    faults = limits.faults(outcome, most_mb=limits.WORKER_MB, most_seconds=len(bombs) * DEADLINE_SECONDS / 10)
    assert not faults, faults


def test_all_that_is_printed_is_json(target: Target) -> None:
    """Native libraries complain on standard error of what they cannot read."""
    assert [line for line in target.server.log_lines() if not _is_json(line)] == []


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True
