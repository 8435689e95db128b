import json
from typing import Any

import pytest

from training.errors import RecipeError
from training.finder.recipe import TEST_SEED, VALIDATION_SEED, FinderRecipe


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pages": 0}, "^pages is 0; it must be at least 1"),
        ({"batch_size": 0}, "^batch_size is 0; it must be at least 1"),
        ({"learning_rate": 0.0}, r"^learning_rate is 0\.0; it must be a number above 0"),
        ({"warmup": -1}, "^warmup is -1; it must be at least 0"),
        ({"seed": -1}, "^seed is -1; it must be from 0 to 2147483647"),
        ({"seed": VALIDATION_SEED}, "^seed is 2147483648"),
        ({"seed": TEST_SEED}, "^seed is 2147483649"),
        ({"validation_pages": 0}, "^validation_pages is 0"),
        ({"test_pages": 0}, "^test_pages is 0"),
    ],
)
def test_a_value_out_of_range_is_rejected(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        FinderRecipe(**changes)


def test_the_batches_hold_all_pages() -> None:
    assert FinderRecipe(pages=160, batch_size=16).iterations == 10
    assert FinderRecipe(pages=161, batch_size=16).iterations == 11


def test_the_recipe_survives_json() -> None:
    recipe = FinderRecipe(pages=32, seed=7)
    model, fields = "finder", json.loads(json.dumps(recipe.as_json()))
    assert fields.pop("model") == model
    assert FinderRecipe(**fields) == recipe
