"""No request costs more than its share: time, the loop's attention, memory, and its neighbours' answers."""

import json

import pytest

from tests.attack import limits
from tests.attack.bombs import BOMBS
from tests.attack.target import Target

_SMALL = 64 * 1024
_COPIES = 8


@pytest.mark.slow
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_no_more_than_its_share(target: Target, name: str) -> None:
    bomb = BOMBS[name]()
    outcome = target.throw([bomb])
    assert limits.faults(bomb, outcome) == []


@pytest.mark.slow
def test_small_bombs_at_once_cost_no_more_than_their_share(target: Target) -> None:
    found = {}
    for make in BOMBS.values():
        bomb = make()
        if len(bomb.body) <= _SMALL:
            # Memory is judged for one alone.
            outcome = target.throw([bomb] * _COPIES)
            found[bomb.name] = [fault for fault in limits.faults(bomb, outcome) if "MB more" not in fault]
    assert {name: faults for name, faults in found.items() if faults} == {}


@pytest.mark.slow
def test_all_that_is_printed_is_json(target: Target) -> None:
    """Native libraries complain on standard error of what they cannot read."""
    foreign = []
    for line in target.server.log_lines():
        try:
            json.loads(line)
        except ValueError:
            foreign.append(line)
    assert foreign == []
