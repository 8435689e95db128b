"""The table of results, as Markdown, from the cards of all published versions. Knows the cards and where they lie."""

import json
from pathlib import Path
from typing import Any

from training.errors import ArtefactError
from training.versions import versions

HEADER = (
    "| model | network | parameters | multiply-adds | right of 10,000 | 95 % interval | ECE | abstained |",
    "|---|---|---:|---:|---:|---|---:|---:|",
)


def results_table(models: Path) -> list[str]:
    """Give the lines of the table, a row for each version, sorted by name and number.

    Raises ArtefactError if a card is missing or broken.
    """
    folders = (siblings / str(version) for siblings in sorted(models.glob("*")) for version in versions(siblings))
    return [*HEADER, *map(_row, folders)]


def _row(folder: Path) -> str:
    path = folder / "model.json"
    try:
        return _describe(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError) as error:  # not there, no JSON, or not the fields of a card
        msg = f"{path} is not the card of a version: {error!r}. Put it back as it was published, or move {folder} away."
        raise ArtefactError(msg) from error


def _describe(card: dict[str, Any]) -> str:
    test = card["test"]
    low, high = test["interval_95"]
    cells = (
        f"{card['name']} {card['version']}",
        card["architecture"],
        f"{card['parameters']:,}",
        f"{card['multiply_adds']:,}",
        f"{test['correct']:,}",
        f"{low:.2%} to {high:.2%}",
        f"{test['expected_calibration_error']:.2%}",
        str(test["abstained"]),
    )
    return f"| {' | '.join(cells)} |"
