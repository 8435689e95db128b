"""The table of results, as Markdown, from the cards of all published versions. Knows the cards and nothing else."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HEADER = (
    "| model | network | parameters | multiply-adds | right of 10,000 | 95 % interval | ECE | abstained |",
    "|---|---|---:|---:|---:|---|---:|---:|",
)


def results_table(models: Path) -> list[str]:
    """Give the lines of the table, a row for each version, sorted by name and number."""
    cards = [json.loads(path.read_text(encoding="utf-8")) for path in models.glob("*/[0-9]*/model.json")]
    return [*HEADER, *_rows(sorted(cards, key=lambda card: (card["name"], card["version"])))]


def _rows(cards: list[dict[str, Any]]) -> Iterator[str]:
    for card in cards:
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
        yield f"| {' | '.join(cells)} |"
