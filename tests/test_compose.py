"""`docker-compose.yml` bounds what each service may take of the machine."""

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
    """Read a limit, or the one that stands where its variable is not set."""
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


def test_sixteen_workers_fit_even_when_they_take_the_most() -> None:
    assert megabytes(SERVICES["serve"]["mem_limit"]) >= 16 * MEGABYTES_OF_A_WORKER
    assert SERVICES["serve"]["mem_limit"] == SERVICES["serve"]["memswap_limit"]  # which is of both together
