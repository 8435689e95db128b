"""The service answers like stock uvicorn, except where it differs by design."""

import os
from pathlib import Path

import pytest

from tests.attack.differential import faults
from tests.attack.servers import service, stock
from tests.attack.wire import Address

_FIRST = int(os.environ.get("ATTACK_SEED", "0"))


@pytest.mark.anyio
async def test_a_few_conversations_go_as_with_stock_uvicorn(addresses: tuple[Address, Address]) -> None:
    assert await faults(*addresses, range(_FIRST, _FIRST + 50)) == []


@pytest.mark.slow
@pytest.mark.anyio
async def test_a_thousand_conversations_go_as_with_stock_uvicorn(log_folder: Path) -> None:
    with service(log_folder) as ours, stock(log_folder) as theirs:
        found = await faults(ours.address, theirs.address, range(_FIRST, _FIRST + 1000))
    assert found == []
