"""What there is to serve: the folder of models and the standing orders, seen together. Blocks; loads nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from app.artefact import Fingerprint, find_names, find_versions, take_fingerprint
from app.orders import Order, Orders


@dataclass(frozen=True)
class Survey:
    """What was found at one time."""

    numbers: Mapping[str, list[int]]  # of the versions of each model, the newest first
    fingerprints: Mapping[Path, Fingerprint]  # of those versions that were asked for
    orders: Mapping[str, Order]


def survey(models_dir: Path, orders: Orders, tried: Iterable[Path] = ()) -> Survey:
    """Look at the folder and at the orders.

    Args:
        models_dir: the folder.
        orders: of all workers.
        tried: the folders of versions whose fingerprints are wanted; it is empty where there are no files.

    Raises:
        OSError: if the folder cannot be read.

    """
    names = find_names(models_dir)
    return Survey(
        {name: find_versions(models_dir / name) for name in names},
        {directory: take_fingerprint(directory) for directory in tried},
        orders.read(),
    )
