"""The options and arguments that several commands of `python -m training` share."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from training.finder.recipe import DEFAULT_FINDER
from training.recipes import FINDER
from training.registry import list_classifiers, list_names


def describe_defaults(field: str, *, finder: bool = False) -> str:
    """Describe the default value of a recipe's field for each classifier and, if asked to, for the finder."""
    recipes: dict[str, object] = {classifier.name: classifier.default_recipe for classifier in list_classifiers()}
    if finder:
        recipes[FINDER] = DEFAULT_FINDER
    return ", ".join(f"{getattr(recipe, field)} for {name}" for name, recipe in recipes.items())


def describe_models() -> str:
    """Describe the models that can be trained."""
    titles = [f"{classifier.name}, the {classifier.title.lower()}" for classifier in list_classifiers()]
    return "; ".join([*titles, f"or {FINDER}, which finds digits on pages"])


def describe_recipes() -> str:
    """Describe the recipes of each classifier, the default first."""
    recipes = [f"{' or '.join(classifier.recipes)} for {classifier.name}" for classifier in list_classifiers()]
    return "; ".join(recipes)


def describe_teachers() -> str:
    """Describe which classifier has which teacher."""
    recipes = [classifier.default_recipe for classifier in list_classifiers()]
    return ", ".join(
        f"the teacher of {recipe.model} is {recipe.distillation.teacher}" for recipe in recipes if recipe.distillation
    )


def _check_names(names: list[str] | None) -> list[str]:
    for name in names or ():
        if name not in list_names():
            *others, last = list_names()
            msg = f"'{name}' is not a model. Expected {', '.join(others)} or {last}."
            raise typer.BadParameter(msg)
    return names or []


def choose_names(classifier_options: Mapping[str, object], recipe: str | None) -> list[str]:
    """Return the models that are trained if none is named: all to which the options that are set apply."""
    if all(value is None or value is False for value in classifier_options.values()):
        return list_names()
    return [each.name for each in list_classifiers() if recipe is None or recipe in each.recipes]


def require_option(options: Mapping[str, object], required: str) -> None:
    """Reject the options that are set, because they have no effect without the required option."""
    for option, value in options.items():
        if value is not None:
            msg = f"{option} has no effect without {required}. Add {required}, or remove {option}."
            raise typer.BadParameter(msg)


Models = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME]...",
        help=f"{describe_models()}. [all to which the other options apply, each teacher before those that it teaches]",
        show_default=False,
        callback=_check_names,
    ),
]
ModelsFolder = Annotated[
    str,
    typer.Option(
        "--models",
        help="The folder of artefacts, in the layout that models/README.md describes, or the URL of such a folder in "
        "an object store, such as s3://bucket/models.",
    ),
]
MnistFolder = Annotated[
    Path | None,
    typer.Option(
        "--mnist",
        envvar="MNIST_DIR",
        help="A folder with the four MNIST files. Without it, they are downloaded once.",
    ),
]
Also = Annotated[
    list[str] | None,
    typer.Option(
        metavar="SOURCE",
        help="Also train on this: a feedback store, or a folder of pictures with a CSV or a folder for each class. "
        "Can be repeated.",
    ),
]
