import pytest
import typer
from typer.testing import CliRunner

from training.cli.options import Models, describe_defaults, require_option
from training.recipes import DEFAULTS


def make_command() -> typer.Typer:
    app = typer.Typer()

    @app.command()
    def name(names: Models = None) -> None:
        typer.echo(" ".join(names or ()))

    return app


def test_the_classifiers_are_the_default() -> None:
    assert CliRunner().invoke(make_command()).output.split() == ["softmax", "convnet"]
    assert CliRunner().invoke(make_command(), ["convnet"]).output.split() == ["convnet"]
    assert CliRunner().invoke(make_command(), ["finder"]).output.split() == ["finder"]


def test_an_unknown_model_is_rejected() -> None:
    result = CliRunner().invoke(make_command(), ["forest"])
    assert result.exit_code == 2
    assert "'forest' is not a model" in result.output


def test_the_defaults_of_each_model_are_described() -> None:
    expected = [f"{DEFAULTS[name].iterations} for {name}" for name in ("softmax", "convnet")]
    assert describe_defaults("iterations") == ", ".join(expected)
    assert describe_defaults("seed", finder=True) == "1337 for softmax, 1337 for convnet, 1337 for finder"


def test_an_option_without_its_required_option_is_rejected() -> None:
    require_option({"--by": None, "--sheet": None}, "--pictures")
    with pytest.raises(
        typer.BadParameter, match=r"^--sheet has no effect without --pictures\. Add --pictures, or remove"
    ):
        require_option({"--by": None, "--sheet": "sheet.png"}, "--pictures")
