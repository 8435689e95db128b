"""The servers that the tests of this folder attack."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attack.target import Target


@pytest.fixture(scope="session")
def target() -> Iterator[Target]:
    """Give a service with witnesses beside it."""
    with Target() as running:
        yield running


@pytest.fixture(scope="session")
def log_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("attack")
