import pytest
import typer
from typer.testing import CliRunner

from training.cli.options import (
    Models,
    choose_names,
    describe_defaults,
    describe_models,
    describe_recipes,
    describe_teachers,
    require_option,
)
from training.registry import list_classifiers, list_names


def make_command() -> typer.Typer:
    app = typer.Typer()

    @app.command()
    def name(names: Models = None) -> None:
        typer.echo(" ".join(names or ()))

    return app


def test_named_models_are_accepted() -> None:
    assert CliRunner().invoke(make_command()).output.split() == []
    assert CliRunner().invoke(make_command(), ["convnet", "finder"]).output.split() == ["convnet", "finder"]


def test_an_unknown_model_is_rejected_with_the_known_ones() -> None:
    result = CliRunner().invoke(make_command(), ["forest"])
    assert result.exit_code == 2
    said = " ".join(result.output.replace("│", " ").split())
    assert "'forest' is not a model. Expected softmax, convnet-large, convnet or finder." in said


def test_without_a_name_all_models_are_chosen_to_which_the_options_apply() -> None:
    assert choose_names({"--also": None, "--without-teacher": False}, None) == list_names()
    assert choose_names({"--also": ["feedback"]}, None) == ["softmax", "convnet-large", "convnet"]
    assert choose_names({"--recipe": "lesson"}, "lesson") == ["softmax", "convnet"]


def test_the_defaults_of_each_model_are_described() -> None:
    expected = [f"{each.default_recipe.iterations} for {each.name}" for each in list_classifiers()]
    assert describe_defaults("iterations") == ", ".join(expected)
    assert describe_defaults("seed", finder=True).endswith("1337 for convnet, 1337 for finder")


def test_the_models_their_recipes_and_teachers_are_described() -> None:
    assert describe_models().startswith("softmax, the softmax regression; convnet-large, the large convolutional")
    assert "distilled or lesson for convnet" in describe_recipes()
    assert describe_teachers() == "the teacher of convnet is convnet-large"


def test_an_option_without_its_required_option_is_rejected() -> None:
    require_option({"--by": None, "--sheet": None}, "--pictures")
    with pytest.raises(
        typer.BadParameter, match=r"^--sheet has no effect without --pictures\. Add --pictures, or remove"
    ):
        require_option({"--by": None, "--sheet": "sheet.png"}, "--pictures")
