"""The parts of the commands of `python -m training` that are for the finder alone: its options, its run, its summary.

As in `commands.py`, TensorFlow is imported only once the options are checked.
"""

# ruff: noqa: PLC0415

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

from training.cli.repetition import report_repetition
from training.cli.silence_tensorflow import import_tensorflow
from training.cli.terminal import progress_bar, publish_and_report
from training.data.mnist import Mnist
from training.finder.recipe import DEFAULT_FINDER, FinderRecipe
from training.publishing.workspace import checkpoint_path
from training.recipes import FINDER


def is_finder(reference: str) -> bool:
    """Return whether a model, or a version such as finder/2, is the finder."""
    return reference.partition("/")[0] == FINDER


def reject_options_of_classifiers(options: Mapping[str, object]) -> None:
    """Reject the options that are set, because they do not apply to the finder."""
    for option, value in options.items():
        if value is not None and value is not False:
            msg = f"{option} does not apply to the {FINDER}. Remove {option}, or name only classifiers."
            raise typer.BadParameter(msg)


def build_recipe(**options: Any) -> FinderRecipe:  # noqa: ANN401 (the values of different options)
    """Return the default recipe with these options; None keeps the default. Raises RecipeError."""
    return replace(DEFAULT_FINDER, **{name: value for name, value in options.items() if value is not None})


def train_and_publish_finder(recipe: FinderRecipe, mnist: Mnist, models: Path, *, force: bool) -> bool:
    """Train the finder and publish it. Print the result, and return False if it was rejected.

    Without `force`, a run that would only repeat the one of the served version is not started.
    """
    planned = {"training": recipe.as_json(), "data": mnist.as_json()}
    if not force and report_repetition(FINDER, planned, models):
        return True
    import_tensorflow()
    from training.finder import run

    checkpoint = checkpoint_path(models, FINDER)
    with progress_bar(recipe.iterations, FINDER) as (on_progress, on_stage):
        result = run.train(recipe, mnist, on_progress, checkpoint_path=checkpoint, on_stage=on_stage)
    typer.echo(summarise_pages(result.card["test"]))
    return publish_and_report(lambda on_stage: run.publish(result, models, force=force, on_stage=on_stage), checkpoint)


def summarise_pages(report: dict[str, Any]) -> str:
    """Summarise a report on pages in one line."""
    return (
        f"Test: {report['found']:,} of {report['digits']:,} digits found on {report['pages']:,} pages "
        f"({report['recall']:.2%}), {report['false']:,} false finds (precision {report['precision']:.2%}), "
        f"F1 of the ink {report['ink_f1']:.2%}."
    )
