from pathlib import Path

import pytest

from training.cli.classifiers import build_recipes, check_teachers
from training.errors import ArtefactError, RecipeError
from training.recipes import CONVNET, CONVNET_LARGE, LESSON_CONVNET, SOFTMAX


def test_the_recipes_are_the_defaults_with_the_options_that_are_set() -> None:
    assert build_recipes(["softmax"], iterations=None, seed=None) == [SOFTMAX]
    (recipe,) = build_recipes(["convnet"], iterations=10, seed=0, learning_rate=None)
    assert (recipe.iterations, recipe.seed, recipe.learning_rate) == (10, 0, CONVNET.learning_rate)
    with pytest.raises(RecipeError, match="iterations"):
        build_recipes(["softmax"], iterations=0)


def test_a_recipe_is_chosen_by_its_name() -> None:
    assert build_recipes(["softmax", "convnet"], "lesson") == [SOFTMAX, LESSON_CONVNET]
    with pytest.raises(RecipeError, match="'convnet-large' has no recipe 'lesson'"):
        build_recipes(["convnet-large"], "lesson")


def test_a_teacher_is_trained_before_its_student() -> None:
    assert build_recipes(["convnet", "convnet-large"]) == [CONVNET_LARGE, CONVNET]
    assert [recipe.distillation for recipe in build_recipes(["convnet"], without_teacher=True)] == [None]


def test_a_teacher_is_there_or_will_be(tmp_path: Path) -> None:
    check_teachers([CONVNET_LARGE, CONVNET], tmp_path)
    check_teachers([SOFTMAX], tmp_path)
    with pytest.raises(ArtefactError, match="The teacher convnet-large is not in"):
        check_teachers([SOFTMAX, CONVNET], tmp_path)
    (tmp_path / "convnet-large" / "1").mkdir(parents=True)
    check_teachers([CONVNET], tmp_path)
