"""The options and arguments that several commands of `python -m training` have in common."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from training.config import DEFAULTS, MODEL_NAMES


def defaults_of(field: str) -> str:
    """Say what the value of a setting is for each model where none is given."""
    return ", ".join(f"{getattr(DEFAULTS[name], field)} for {name}" for name in MODEL_NAMES)


def _known(names: list[str] | None) -> list[str]:
    for name in names or ():
        if name not in MODEL_NAMES:
            msg = f"'{name}' is no model. Expected {' or '.join(MODEL_NAMES)}."
            raise typer.BadParameter(msg)
    return names or list(MODEL_NAMES)


def refuse_alone(options: Mapping[str, object], needed: str) -> None:
    """Refuse options that were given, and are not None, without the one that they need: they would be ignored."""
    for option, value in options.items():
        if value is not None:
            msg = f"{option} does nothing without {needed}. Add {needed}, or leave {option} out."
            raise typer.BadParameter(msg)


Models = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME]...",
        help="softmax, the regression xW + b, or convnet, the convolutional network. [both]",
        show_default=False,
        callback=_known,
    ),
]
ModelsFolder = Annotated[
    Path, typer.Option("--models", help="The folder of artefacts, laid out as models/README.md has it.")
]
MnistFolder = Annotated[
    Path | None,
    typer.Option(
        "--mnist",
        envvar="MNIST_DIR",
        help="A folder that holds the four MNIST files; without it they are downloaded once.",
    ),
]
Also = Annotated[
    list[str] | None,
    typer.Option(
        metavar="SOURCE",
        help="Learn from this too: a feedback store, or a folder of pictures with a CSV or a folder for each class. "
        "Can be given several times.",
    ),
]
