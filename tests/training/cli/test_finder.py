import pytest
import typer

from training.cli.finder import build_recipe, is_finder, reject_options_of_classifiers, summarise_pages
from training.errors import RecipeError
from training.finder.recipe import DEFAULT_FINDER


@pytest.mark.parametrize(
    ("reference", "expected"), [("finder", True), ("finder/2", True), ("convnet", False), ("finders/2", False)]
)
def test_the_finder_and_its_versions_are_recognised(reference: str, *, expected: bool) -> None:
    assert is_finder(reference) == expected


def test_options_that_are_set_and_apply_only_to_classifiers_are_rejected() -> None:
    reject_options_of_classifiers({"--also": None, "--teacher": False})
    with pytest.raises(typer.BadParameter, match=r"--also does not apply to the finder\. Remove --also"):
        reject_options_of_classifiers({"--teacher": None, "--also": "pictures"})


def test_the_recipe_has_the_options_that_are_set() -> None:
    recipe = build_recipe(pages=32, learning_rate=None, seed=0)
    assert (recipe.pages, recipe.seed, recipe.learning_rate) == (32, 0, DEFAULT_FINDER.learning_rate)
    assert build_recipe() == DEFAULT_FINDER
    with pytest.raises(RecipeError, match="pages"):
        build_recipe(pages=0)


def test_a_report_is_summarised_in_a_line() -> None:
    report = {
        "pages": 1000,
        "ink_f1": 0.9,
        "digits": 3000,
        "found": 2940,
        "false": 60,
        "recall": 0.98,
        "precision": 0.98,
    }
    assert summarise_pages(report) == (
        "Test: 2,940 of 3,000 digits found on 1,000 pages (98.00%), 60 false finds (precision 98.00%), "
        "F1 of the ink 90.00%."
    )
