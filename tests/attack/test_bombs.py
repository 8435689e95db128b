"""No request costs more than its share: time, the loop's attention, memory, and its neighbours' answers."""

import json

import pytest

from tests.attack import limits
from tests.attack.bombs import BOMBS
from tests.attack.target import Target

pytestmark = pytest.mark.slow

_SMALL = 64 * 1024
_COPIES = 8


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_no_more_than_its_share(target: Target, name: str) -> None:
    bomb = BOMBS[name]()
    assert limits.faults(target.throw([bomb]), most_mb=limits.for_bomb(bomb)) == []


def test_small_bombs_at_once_cost_no_more_than_their_share(target: Target) -> None:
    found = {}
    for make in BOMBS.values():
        bomb = make()
        if len(bomb.body) <= _SMALL:
            found[bomb.name] = limits.faults(target.throw([bomb] * _COPIES), most_mb=limits.WORKER_MB)
    assert {name: faults for name, faults in found.items() if faults} == {}


def test_all_that_is_printed_is_json(target: Target) -> None:
    """Native libraries complain on standard error of what they cannot read."""
    assert [line for line in target.server.log_lines() if not _is_json(line)] == []


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True
