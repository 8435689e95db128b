"""The tables of results, made from the model cards of all published versions."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from training.errors import ArtefactError
from training.publishing.artefacts import CARD
from training.publishing.published_versions import list_versions

HEADER = (
    "| model | network | parameters | multiply-adds | right of 10,000 | 95 % interval | ECE | abstained |",
    "|---|---|---:|---:|---:|---|---:|---:|",
)
FINDER_HEADER = (
    "| model | network | parameters | multiply-adds | test pages | digits found | false finds | F1 of the ink |",
    "|---|---|---:|---:|---:|---:|---:|---:|",
)


def results_table(models: Path) -> list[str]:
    """Return the lines of a Markdown table with a row for each version of a classifier, sorted by name and version.

    If a finder is published, a second table with its versions follows. Raises ArtefactError if a model card is missing
    or malformed.
    """
    folders = [model / str(version) for model in sorted(models.glob("*")) for version in list_versions(model)]
    cards = [(folder, _read_card(folder)) for folder in folders]
    table = [*HEADER, *(_row(folder, card, _format_classifier) for folder, card in cards if "task" not in card)]
    finders = [_row(folder, card, _format_finder) for folder, card in cards if "task" in card]
    return [*table, "", *FINDER_HEADER, *finders] if finders else table


def _read_card(folder: Path) -> dict[str, Any]:
    try:
        card: dict[str, Any] = json.loads((folder / CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # missing, or not JSON
        raise _invalid(folder, error) from error
    return card


def _row(folder: Path, card: dict[str, Any], describe: Callable[[dict[str, Any]], Sequence[str]]) -> str:
    try:
        cells = (
            f"{card['name']} {card['version']}",
            card["architecture"],
            f"{card['parameters']:,}",
            f"{card['multiply_adds']:,}",
            *describe(card["test"]),
        )
    except (ValueError, TypeError, KeyError) as error:  # without the expected fields
        raise _invalid(folder, error) from error
    return f"| {' | '.join(cells)} |"


def _invalid(folder: Path, error: Exception) -> ArtefactError:
    msg = (
        f"{folder / CARD} is not a valid model card: {error!r}. Restore the published file, or move {folder} elsewhere."
    )
    return ArtefactError(msg)


def _format_classifier(test: dict[str, Any]) -> Sequence[str]:
    low, high = test["interval_95"]
    return (
        f"{test['correct']:,}",
        f"{low:.2%} to {high:.2%}",
        f"{test['expected_calibration_error']:.2%}",
        str(test["abstained"]),
    )


def _format_finder(test: dict[str, Any]) -> Sequence[str]:
    return (
        f"{test['pages']:,}",
        f"{test['found']:,} of {test['digits']:,} ({test['recall']:.2%})",
        f"{test['false']:,}",
        f"{test['ink_f1']:.2%}",
    )
