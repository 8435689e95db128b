import json
from pathlib import Path

import pytest

from training.errors import ArtefactError
from training.publishing.results import FINDER_HEADER, HEADER, results_table

CARD = {
    "name": "convnet",
    "version": 10,
    "architecture": "conv - dense",
    "parameters": 105882,
    "multiply_adds": 2810688,
    "test": {
        "correct": 9961,
        "interval_95": [0.99467, 0.99715],
        "expected_calibration_error": 0.00105,
        "abstained": 24,
    },
}


def test_every_version_has_a_row_in_order(tmp_path: Path) -> None:
    for version in (10, 9):
        folder = tmp_path / "convnet" / str(version)
        folder.mkdir(parents=True)
        (folder / "model.json").write_text(json.dumps(CARD | {"version": version}))
    (tmp_path / "convnet" / ".11-half").mkdir()
    assert results_table(tmp_path) == [
        *HEADER,
        "| convnet 9 | conv - dense | 105,882 | 2,810,688 | 9,961 | 99.47% to 99.72% | 0.10% | 24 |",
        "| convnet 10 | conv - dense | 105,882 | 2,810,688 | 9,961 | 99.47% to 99.72% | 0.10% | 24 |",
    ]


def test_the_versions_of_the_finder_have_a_table_of_their_own(tmp_path: Path) -> None:
    test = {"pages": 1000, "ink_f1": 0.9541, "digits": 3210, "found": 3105, "false": 17, "recall": 0.9673}
    finder = CARD | {"task": "find_digits", "name": "finder", "version": 1, "architecture": "U-Net", "test": test}
    for card in (CARD, finder):
        folder = tmp_path / str(card["name"]) / str(card["version"])
        folder.mkdir(parents=True)
        (folder / "model.json").write_text(json.dumps(card))
    assert results_table(tmp_path) == [
        *HEADER,
        "| convnet 10 | conv - dense | 105,882 | 2,810,688 | 9,961 | 99.47% to 99.72% | 0.10% | 24 |",
        "",
        *FINDER_HEADER,
        "| finder 1 | U-Net | 105,882 | 2,810,688 | 1,000 | 3,105 of 3,210 (96.73%) | 17 | 95.41% |",
    ]


@pytest.mark.parametrize(
    ("content", "word"), [("{", "JSONDecodeError"), ("[]", "TypeError"), ("{}", "'name'"), (None, "FileNotFoundError")]
)
def test_an_invalid_card_raises_an_error_with_its_path(tmp_path: Path, content: str | None, word: str) -> None:
    folder = tmp_path / "convnet" / "1"
    folder.mkdir(parents=True)
    if content:
        (folder / "model.json").write_text(content)
    with pytest.raises(ArtefactError, match=rf"convnet/1/model\.json is not a valid model card: .*{word}"):
        results_table(tmp_path)


def test_a_folder_without_models_gives_no_rows(tmp_path: Path) -> None:
    assert results_table(tmp_path / "nowhere") == [*HEADER]
