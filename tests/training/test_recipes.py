import json
from dataclasses import replace

import pytest

from training.errors import RecipeError
from training.recipes import CONVNET, LESSON_CONVNET, SOFTMAX, Distillation, TrainingRecipe


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("iterations", 0),
        ("batch_size", -3),
        ("learning_rate", 0.0),
        ("seed", -1),
        ("seed", 2**31),
        ("synthetic_digits", -1),
        ("synthetic_non_digits", -5),
    ],
)
def test_an_out_of_range_value_raises_an_error_with_the_allowed_range(name: str, value: float) -> None:
    with pytest.raises(RecipeError, match=rf"^{name} is {value}; it must be "):
        replace(SOFTMAX, **{name: value})


@pytest.mark.parametrize(("name", "value"), [("temperature", 0.0), ("share", 0.0), ("share", 1.1)])
def test_an_out_of_range_distillation_value_raises_an_error(name: str, value: float) -> None:
    with pytest.raises(RecipeError, match=rf"^{name} is {value}; it must be "):
        Distillation(**{"teacher": "convnet/3", "temperature": 2.0, "share": 0.5, name: value})


def test_a_recipe_survives_json() -> None:
    parsed = json.loads(json.dumps(CONVNET.as_json()))
    assert parsed == CONVNET.as_json()
    assert parsed["augmentation"]["rotation"] == CONVNET.augmentation.rotation
    assert parsed["distillation"]["teacher"] == CONVNET.distillation.teacher


@pytest.mark.parametrize(("teacher", "model"), [("convnet-large", "convnet-large"), ("convnet/3", "convnet")])
def test_a_teacher_is_a_model_or_a_version(teacher: str, model: str) -> None:
    assert Distillation(teacher, temperature=1.0, share=0.5).teacher_model == model


def test_the_recipes_of_the_lesson_have_nothing_that_is_added_to_plain_training() -> None:
    assert (SOFTMAX.optimizer, SOFTMAX.batch_size, SOFTMAX.iterations) == ("sgd", 100, 10_000)
    assert (LESSON_CONVNET.optimizer, LESSON_CONVNET.batch_size, LESSON_CONVNET.iterations) == ("rmsprop", 100, 5_001)
    assert LESSON_CONVNET.learning_rate == 1e-3
    required = ("model", "optimizer", "learning_rate", "iterations", "accuracy_threshold")
    for recipe in (SOFTMAX, LESSON_CONVNET):
        assert recipe == TrainingRecipe(**{name: getattr(recipe, name) for name in required})
