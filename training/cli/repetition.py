"""Tells whether a run would only repeat the one that made the served version. Imports no TensorFlow."""

from pathlib import Path
from typing import Any

import typer

from training.provenance import list_differences
from training.publishing.artefacts import read_served_card


def report_repetition(name: str, planned: dict[str, Any], models: Path) -> bool:
    """Print whether a run would repeat the one that made the served version of a model, or what differs. Return it.

    Args:
        name: The name of the model.
        planned: The provenance of the run.
        models: The folder of published models.

    """
    served = read_served_card(models, name)
    if served is None:
        return False
    version = f"{name} {served['version']}"
    differences = list_differences(planned, served)
    if differences:
        typer.echo(f"{name} is trained. It differs from {version}, which is served, in: {', '.join(differences)}.")
        return False
    typer.echo(
        f"{name} is not trained: the recipe is the one of {version}, which is served. Train with another seed or data "
        "to try again, or with --force, for example after a change of the code."
    )
    return True
