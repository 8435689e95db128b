"""No connection exceeds the limits, whether it sends a lot, slowly or nothing."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from tests.attack import limits
from tests.attack.connections import ATTACKS, until_served_again
from tests.attack.servers import service, stock
from tests.attack.target import PATIENCE_SECONDS, Target

pytestmark = [pytest.mark.slow, pytest.mark.alone]


@pytest.mark.parametrize("name", ATTACKS)
def test_connections_cost_no_more_than_their_share(target: Target, name: str) -> None:
    attack = ATTACKS[name]
    faults = limits.persistent(
        lambda: limits.faults(
            target.observe(name, attack.run),
            most_mb=attack.most_mb,
            most_seconds=PATIENCE_SECONDS,
            most_lag_ms=attack.most_lag_ms,
        )
    )
    assert not faults, faults


def test_a_service_without_descriptors_recovers_as_stock_does(log_folder: Path) -> None:
    descriptors = 150
    with (
        service(log_folder, descriptors=descriptors) as ours,
        stock(log_folder, descriptors=descriptors) as theirs,
        ThreadPoolExecutor(2) as threads,
    ):
        seconds, stock_seconds = threads.map(partial(until_served_again, idle=250), (ours, theirs))
    assert seconds <= stock_seconds + 2
