"""The tables of results, made from the model cards of all published versions."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from training.errors import ArtefactError
from training.publishing.published_versions import list_versions
from training.recipes import FINDER

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

    If the finder is published, a second table with its versions follows. Raises ArtefactError if a model card is
    missing or malformed.
    """
    classifiers = [model for model in sorted(models.glob("*")) if model.name != FINDER]
    table = [*HEADER, *_rows(classifiers, _format_classifier)]
    finders = _rows([models / FINDER], _format_finder)
    return [*table, "", *FINDER_HEADER, *finders] if finders else table


def _rows(models: Sequence[Path], describe: Callable[[dict[str, Any]], Sequence[str]]) -> list[str]:
    return [_row(model / str(version), describe) for model in models for version in list_versions(model)]


def _row(folder: Path, describe: Callable[[dict[str, Any]], Sequence[str]]) -> str:
    path = folder / "model.json"
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        cells = (
            f"{card['name']} {card['version']}",
            card["architecture"],
            f"{card['parameters']:,}",
            f"{card['multiply_adds']:,}",
            *describe(card["test"]),
        )
    except (OSError, ValueError, TypeError, KeyError) as error:  # missing, not JSON, or without the expected fields
        msg = f"{path} is not a valid model card: {error!r}. Restore the published file, or move {folder} elsewhere."
        raise ArtefactError(msg) from error
    return f"| {' | '.join(cells)} |"


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
