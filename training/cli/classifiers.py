"""The parts of the commands of `python -m training` that are for the classifiers alone: their recipes and their runs.

As in `commands.py`, TensorFlow is imported only once the options are checked.
"""

# ruff: noqa: PLC0415

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from training.cli.repetition import report_repetition
from training.cli.silence_tensorflow import import_tensorflow
from training.cli.terminal import progress_bar, publish_and_report, summary, write_figure
from training.data.mnist import Mnist
from training.data.sources import Source, concatenate
from training.provenance import describe_provenance
from training.publishing.artefacts import read_card
from training.publishing.published_versions import find_teacher
from training.publishing.workspace import checkpoint_path
from training.recipes import TrainingRecipe
from training.registry import find_classifier, order_by_teacher

if TYPE_CHECKING:
    from training.run import Run


def build_recipes(
    names: Iterable[str],
    recipe: str | None = None,
    *,
    without_teacher: bool = False,
    **options: Any,  # noqa: ANN401 (the values of different options)
) -> list[TrainingRecipe]:
    """Return the recipes of the classifiers, each teacher before those that it teaches.

    Args:
        names: The classifiers.
        recipe: The name of the recipe, by default the first one of each classifier.
        without_teacher: Whether to train on the labels alone.
        options: The settings that differ from the recipe. None keeps that of the recipe.

    Raises RecipeError if a classifier has no such recipe, or if a value is out of range.

    """
    changes = {name: value for name, value in options.items() if value is not None}
    if without_teacher:
        changes["distillation"] = None
    return order_by_teacher(replace(_find_recipe(name, recipe), **changes) for name in names)


def _find_recipe(name: str, recipe: str | None) -> TrainingRecipe:
    classifier = find_classifier(name)
    return classifier.default_recipe if recipe is None else classifier.find_recipe(recipe)


def check_teachers(recipes: Sequence[TrainingRecipe], models: Path) -> None:
    """Raise ArtefactError if a teacher is neither in the folder of models nor trained by one of the recipes."""
    trained = {recipe.model for recipe in recipes}
    for distillation in (recipe.distillation for recipe in recipes):
        if distillation and distillation.teacher_model not in trained:
            find_teacher(models, distillation.teacher)


def train_and_publish(  # noqa: PLR0913 (the options of the command)
    recipe: TrainingRecipe,
    mnist: Mnist,
    sources: list[Source],
    models: Path,
    figures: Path | None,
    *,
    force: bool,
) -> bool:
    """Train one model and publish it. Print the result, and return False if the model was rejected.

    Without `force`, a run that would only repeat the one of the served version is not started.
    """
    teacher = read_card(find_teacher(models, recipe.distillation.teacher)) if recipe.distillation else None
    planned = describe_provenance(recipe, mnist, sources, teacher)
    if not force and report_repetition(recipe.model, planned, models):
        return True
    import_tensorflow()
    from training import run

    checkpoint = checkpoint_path(models, recipe.model)
    with progress_bar(recipe.iterations, recipe.model) as (on_progress, on_stage):
        result = run.train(
            recipe, mnist, on_progress, sources, models=models, checkpoint_path=checkpoint, on_stage=on_stage
        )
    typer.echo(summary(result.card["test"]))
    if figures:
        write_figures(result, figures)
    held_out = concatenate([source.held_out for source in sources])
    return publish_and_report(
        lambda on_stage: run.publish(result, models, mnist.test, held_out, force=force, on_stage=on_stage), checkpoint
    )


def write_figures(result: "Run", folder: Path) -> None:
    """Draw the training curves, the confusion matrix and, for softmax, the weights of each digit."""
    from training.evaluation import figures
    from training.networks import Affine

    name = result.card["name"]
    write_figure(figures.draw_curves(result.card["history"]), folder / f"{name}-curves.png")
    write_figure(figures.draw_confusion(result.card["test"]["confusion"]), folder / f"{name}-confusion.png")
    if isinstance(result.network, Affine):
        write_figure(figures.draw_weight_images(result.network.weights.numpy()), folder / f"{name}-weights.png")
