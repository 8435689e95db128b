"""The table of results, made from the model cards of all published versions."""

import json
from pathlib import Path
from typing import Any

from training.errors import ArtefactError
from training.publishing.published_versions import list_versions

HEADER = (
    "| model | network | parameters | multiply-adds | right of 10,000 | 95 % interval | ECE | abstained |",
    "|---|---|---:|---:|---:|---|---:|---:|",
)


def results_table(models: Path) -> list[str]:
    """Return the lines of a Markdown table with a row for each version, sorted by name and version.

    Raises ArtefactError if a model card is missing or malformed.
    """
    folders = (model / str(version) for model in sorted(models.glob("*")) for version in list_versions(model))
    return [*HEADER, *map(_row, folders)]


def _row(folder: Path) -> str:
    path = folder / "model.json"
    try:
        return _format_row(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError) as error:  # missing, not JSON, or without the expected fields
        msg = f"{path} is not a valid model card: {error!r}. Restore the published file, or move {folder} elsewhere."
        raise ArtefactError(msg) from error


def _format_row(card: dict[str, Any]) -> str:
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
