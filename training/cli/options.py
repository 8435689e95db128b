"""The options and arguments that several commands of `python -m training` share."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from training.finder.recipe import DEFAULT_FINDER
from training.recipes import DEFAULTS, FINDER, MODEL_NAMES


def describe_defaults(field: str, *, finder: bool = False) -> str:
    """Describe the default value of a recipe's field for each classifier and, if asked to, for the finder."""
    recipes = {name: DEFAULTS[name] for name in MODEL_NAMES} | ({FINDER: DEFAULT_FINDER} if finder else {})
    return ", ".join(f"{getattr(recipe, field)} for {name}" for name, recipe in recipes.items())


def _check_names(names: list[str] | None) -> list[str]:
    for name in names or ():
        if name not in (*MODEL_NAMES, FINDER):
            msg = f"'{name}' is not a model. Expected {', '.join(MODEL_NAMES)} or {FINDER}."
            raise typer.BadParameter(msg)
    return names or list(MODEL_NAMES)


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
        help="softmax, the regression xW + b; convnet, the convolutional network; or finder, which finds digits on "
        "pages. [the two classifiers, softmax and convnet]",
        show_default=False,
        callback=_check_names,
    ),
]
ModelsFolder = Annotated[
    Path, typer.Option("--models", help="The folder of artefacts, in the layout that models/README.md describes.")
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
