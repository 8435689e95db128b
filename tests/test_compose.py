"""`docker-compose.yml` limits the resources of each service."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((Path(__file__).parent.parent / "docker-compose.yml").read_text())[
    "services"
]
MEGABYTES_OF_A_WORKER = 450


def megabytes(limit: str) -> float:
    """Return a limit in megabytes; for a variable, its default."""
    number, unit = re.fullmatch(r"(?:\$\{\w+:-)?(\d+)([mg])\}?", limit).groups()  # type: ignore[union-attr]
    return int(number) * {"m": 1, "g": 1024}[unit]


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_has_limits(name: str) -> None:
    service = SERVICES[name]
    assert 512 <= megabytes(service["mem_limit"]) <= 8192
    assert 256 <= service["pids_limit"] <= 4096
    if name != "train":  # it takes no connections
        limit = service["ulimits"]["nofile"]
        assert 1024 <= limit["soft"] == limit["hard"] <= 65536


def test_sixteen_workers_fit_into_the_memory_limit() -> None:
    assert megabytes(SERVICES["serve"]["mem_limit"]) >= 16 * MEGABYTES_OF_A_WORKER
    assert SERVICES["serve"]["mem_limit"] == SERVICES["serve"]["memswap_limit"]  # the limit of memory and swap together
