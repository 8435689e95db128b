"""The commands of `python -m training`. They parse options and print; the other packages do the work.

TensorFlow takes seconds to import. So a command first checks its options, and only then imports the modules that need
TensorFlow.
"""

# ruff: noqa: PLC0415

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from training.cli.classifiers import build_recipes, check_teachers, train_and_publish
from training.cli.finder import (
    build_recipe,
    is_finder,
    reject_options_of_classifiers,
    summarise_pages,
    train_and_publish_finder,
)
from training.cli.options import (
    Also,
    MnistFolder,
    Models,
    ModelsFolder,
    choose_names,
    describe_defaults,
    describe_recipes,
    describe_teachers,
    require_option,
)
from training.cli.silence_tensorflow import import_tensorflow
from training.cli.terminal import report_errors, status_line, summary, write_figure
from training.data.examples import Examples
from training.data.mnist import Mnist, Part, load_mnist
from training.data.picture_folders import find_pictures
from training.data.sources import Source, concatenate, load_sources
from training.errors import DataError
from training.evaluation.pictures import count_confusion, predict_pictures, summarise
from training.evaluation.robustness import measure_robustness, robustness_table
from training.finder.recipe import DEFAULT_FINDER
from training.folders import ensure_writable_folder
from training.publishing import published_versions
from training.publishing.artefacts import CARD, read_served_card
from training.publishing.model_stores import open_models
from training.publishing.published_versions import find_version, resolve_version
from training.publishing.results import results_table
from training.publishing.workspace import training_lock
from training.recipes import FINDER
from training.registry import list_classifiers

SHEET_LENGTH = 160
"""The most pictures on a contact sheet."""

app = typer.Typer(
    help="Train classifiers of handwritten digits, and a finder of digits on pages, on MNIST, and publish them as "
    "SavedModels.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # or "[the highest]" in a help text would be parsed as markup and removed
)


@app.command()
def train(  # noqa: PLR0913, PLR0917 (one parameter for each option)
    names: Models = None,
    recipe: Annotated[str | None, typer.Option(help=f"The recipe: {describe_recipes()}. [the first]")] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            help=f"The same seed on the same machine gives the same weights. [{describe_defaults('seed', finder=True)}]"
        ),
    ] = None,
    iterations: Annotated[
        int | None, typer.Option(help=f"The number of batches. [{describe_defaults('iterations')}]")
    ] = None,
    pages: Annotated[
        int | None, typer.Option(help=f"The number of pages that the finder is trained on. [{DEFAULT_FINDER.pages}]")
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(help=f"The images or pages in a batch. [{describe_defaults('batch_size', finder=True)}]"),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(help=f"The base learning rate. [{describe_defaults('learning_rate', finder=True)}]"),
    ] = None,
    also: Also = None,
    also_share: Annotated[
        float | None, typer.Option(help=f"The share of --also in an epoch. [{describe_defaults('source_share')}]")
    ] = None,
    models: ModelsFolder = "models",
    mnist: MnistFolder = None,
    figures: Annotated[
        Path | None, typer.Option(help="Draw the training curves and the confusion matrix into this folder, as PNGs.")
    ] = None,
    *,
    without_teacher: Annotated[
        bool,
        typer.Option("--without-teacher", help=f"Train on the labels alone. [{describe_teachers()}]"),
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Train even if the recipe is the one that is served, and publish whatever the promotion gate "
            "decides. The model card records this.",
        ),
    ] = False,
) -> None:
    """Train models and publish each as its next version, unless it is no better than the served version.

    A model whose recipe, data and teacher are those of the served version is not trained. To continue an interrupted
    run, repeat the same command.
    """
    names = names or []
    if not also:
        require_option({"--also-share": also_share}, "--also")
    if FINDER not in names:
        require_option({"--pages": pages}, FINDER)
    classifier_options = {
        "--recipe": recipe,
        "--iterations": iterations,
        "--also": also,
        "--figures": figures,
        "--without-teacher": without_teacher,
    }
    names = names or choose_names(classifier_options, recipe)
    if FINDER in names:
        reject_options_of_classifiers(classifier_options)
    with report_errors():
        options = {
            "iterations": iterations,
            "batch_size": batch_size,
            "learning_rate": learning_rate,
            "source_share": also_share,
        }
        classifiers = [name for name in names if name != FINDER]
        recipes = build_recipes(classifiers, recipe, seed=seed, without_teacher=without_teacher, **options)
        finder = build_recipe(seed=seed, pages=pages, batch_size=batch_size, learning_rate=learning_rate)
        if figures:
            ensure_writable_folder(figures)
        with open_models(models, typer.echo) as folder, training_lock(folder):
            check_teachers(recipes, folder)  # fails now and not after minutes of loading
            examples = load_mnist(mnist)
            sources = load_and_report_sources(also or [], examples)
            for name in names:
                read_served_card(folder, name)  # fails now and not after minutes of training
            published = [train_and_publish(each, examples, sources, folder, figures, force=force) for each in recipes]
            if FINDER in names:
                published.append(train_and_publish_finder(finder, examples, folder, force=force))
    if not all(published):
        raise typer.Exit(1)


@app.command()
def evaluate(  # noqa: PLR0913 (one parameter for each option)
    model: Annotated[str, typer.Argument(metavar="NAME", help="A model, or a version, such as convnet/2.")],
    version: Annotated[int | None, typer.Option(help="The version of the model. [the highest]")] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(help="Evaluate on this folder of pictures instead, with a CSV or a folder for each class."),
    ] = None,
    by: Annotated[str | None, typer.Option(help="With --pictures: also group by this column of the CSV.")] = None,
    sheet: Annotated[
        Path | None, typer.Option(help="With --pictures: write a contact sheet, a PNG, with the errors first.")
    ] = None,
    *,
    corrupted: Annotated[
        bool, typer.Option("--corrupted", help="Evaluate on MNIST with fifteen corruptions instead.")
    ] = False,
    part: Annotated[Part | None, typer.Option(help="With --corrupted: the part of MNIST to corrupt. [test]")] = None,
    models: ModelsFolder = "models",
    mnist: MnistFolder = None,
) -> None:
    """Recompute the test report of an artefact and compare it with its model.json (exit code 1 if they differ)."""
    if not pictures:
        require_option({"--by": by, "--sheet": sheet}, "--pictures")
    if not corrupted:
        require_option({"--part": part}, "--corrupted")
    if pictures and corrupted:
        msg = "--pictures and --corrupted exclude each other. Choose one of them."
        raise typer.BadParameter(msg)
    if version is not None and "/" in model:
        msg = f"'{model}' already has a version. Remove --version, or name only the model."
        raise typer.BadParameter(msg)
    if is_finder(model):
        reject_options_of_classifiers({"--pictures": pictures, "--corrupted": corrupted})
    with report_errors(), open_models(models, typer.echo) as folder:
        artefact = resolve_version(folder, model) if version is None else find_version(folder, model, version)
        import_tensorflow()
        from training import run
        from training.finder import run as finder_run

        if pictures:
            evaluate_pictures(artefact, pictures, by, sheet)
            return
        if corrupted:
            evaluate_corrupted(artefact, load_mnist(mnist).part(part or "test"))
            return
        verify_report = finder_run.verify_report if is_finder(model) else run.verify_report
        report, differing = verify_report(artefact, load_mnist(mnist))
    typer.echo(summarise_pages(report) if is_finder(model) else summary(report))
    if differing:
        typer.echo(f"{artefact / CARD} differs in: {', '.join(differing)}.", err=True)
        raise typer.Exit(1)
    typer.echo(f"{artefact / CARD} matches.")


def evaluate_pictures(artefact: Path, folder: Path, column: str | None, sheet: Path | None) -> None:
    """Print the accuracy of an artefact on a folder of pictures, and write a contact sheet of them if asked to.

    Raises DataError if no picture can be decoded.
    """
    from training.publishing import export

    signature, card = export.load(artefact)
    classify = partial(export.predict_in_batches, signature)
    predictions, undecodable = predict_pictures(find_pictures(folder), classify, card["abstention"])
    for picture, reason in undecodable:
        typer.echo(f"{picture.path}: {reason}", err=True)
    if not predictions:
        msg = f"None of the {len(undecodable)} pictures in {folder} can be decoded. Expected PNG, JPEG or similar."
        raise DataError(msg)
    for line in summarise(predictions, column):
        typer.echo(line)
    typer.echo(f"Confusion, the true digit in rows:\n{count_confusion(predictions)}")
    if sheet:
        from training.evaluation.figures import draw_contact_sheet

        errors_first = sorted(
            predictions, key=lambda each: (each.correct, each.abstention_reason is None, each.confidence)
        )
        write_figure(draw_contact_sheet(errors_first[:SHEET_LENGTH]), sheet)


def evaluate_corrupted(artefact: Path, examples: Examples) -> None:
    """Print the accuracy of an artefact on examples under each corruption."""
    from training.publishing import export

    signature, _ = export.load(artefact)
    classify = partial(export.predict_in_batches, signature)
    with status_line() as on_stage:
        accuracies = measure_robustness(classify, examples, on_stage)
    for line in robustness_table(accuracies):
        typer.echo(line)


@app.command()
def compare(
    before: Annotated[
        str, typer.Argument(metavar="A", help="A version, such as convnet/2, or a model for its highest version.")
    ],
    after: Annotated[str, typer.Argument(metavar="B", help="The version that is compared with A.")],
    also: Annotated[
        list[str] | None,
        typer.Option(metavar="SOURCE", help="Also compare on the held-out part of this source, as for train."),
    ] = None,
    models: ModelsFolder = "models",
    mnist: MnistFolder = None,
) -> None:
    """Compare the errors and the cost of two classifiers, or of two finders, as the promotion gate does."""
    if is_finder(before) != is_finder(after):
        msg = f"'{before}' and '{after}' do different jobs. Name two versions of the {FINDER}, or two classifiers."
        raise typer.BadParameter(msg)
    if is_finder(before):
        reject_options_of_classifiers({"--also": also})
    with report_errors(), open_models(models, typer.echo) as folder:
        baseline, candidate = (resolve_version(folder, reference) for reference in (before, after))
        examples = load_mnist(mnist)
        held_out = concatenate([source.held_out for source in load_and_report_sources(also or [], examples)])
        import_tensorflow()
        from training import run
        from training.finder import run as finder_run

        table = (
            finder_run.compare_versions(baseline, candidate, examples)
            if is_finder(before)
            else run.compare_versions(baseline, candidate, examples, held_out)
        )
        for line in table:
            typer.echo(line)


@app.command()
def tune_thresholds(
    name: Annotated[str, typer.Argument(help="The classifier.")],
    models: ModelsFolder = "models",
    mnist: MnistFolder = None,
) -> None:
    """Choose the thresholds for abstention of the highest version again, and publish it with them as the next version.

    The weights stay the same, and so do the digits and probabilities.
    """
    if is_finder(name):
        msg = f"The {FINDER} does not abstain. Expected {' or '.join(each.name for each in list_classifiers())}."
        raise typer.BadParameter(msg)
    with report_errors(), open_models(models, typer.echo) as folder, training_lock(folder):
        find_version(folder, name)  # fails now and not after seconds of loading
        examples = load_mnist(mnist)
        import_tensorflow()
        from training import run

        published, table = run.tune_thresholds(name, folder, examples)
        for line in table:
            typer.echo(line)
        typer.echo(f"Published {published}" if published else "No other thresholds have a lower cost.")


@app.command()
def rollback(
    name: Annotated[str, typer.Argument(help="The model.")],
    models: ModelsFolder = "models",
) -> None:
    """Withdraw the highest version of a model, so that the next lower version is served."""
    with report_errors(), open_models(models, typer.echo) as folder:
        highest = find_version(folder, name)
        served = published_versions.rollback(folder, name)
        undo = f"python -m training promote {name} {highest.name} --models {models}"
        typer.echo(f"Served: {served}. To undo: {undo}")


@app.command()
def promote(
    name: Annotated[str, typer.Argument(help="The model.")],
    version: Annotated[int, typer.Argument(help="The version to serve.")],
    models: ModelsFolder = "models",
) -> None:
    """Make a version the served one: restore it if it was withdrawn, and withdraw all higher versions."""
    with report_errors(), open_models(models, typer.echo) as folder:
        typer.echo(f"Served: {published_versions.promote(folder, name, version)}")


@app.command()
def results(models: ModelsFolder = "models") -> None:
    """Print a Markdown table of the results of all published versions."""
    with report_errors(), open_models(models, typer.echo) as folder:
        for line in results_table(folder):
            typer.echo(line)


@app.command()
def show(
    indices: Annotated[list[int], typer.Argument(metavar="INDEX...", help="The indices of the images, from 0.")],
    part: Annotated[Part, typer.Option(help="The part of MNIST that has the images.")] = "train",
    out: Annotated[Path, typer.Option(help="The PNG to write.")] = Path("samples.png"),
    mnist: MnistFolder = None,
) -> None:
    """Draw images of MNIST with their labels."""
    with report_errors():
        examples = load_mnist(mnist).part(part)
        from training.evaluation.figures import draw_images

        write_figure(draw_images(examples, indices), out)


def load_and_report_sources(locations: list[str], mnist: Mnist) -> list[Source]:
    """Load the sources, and print their warnings and sizes before training starts."""
    sources = load_sources(locations, mnist.test.images)
    for source in sources:
        for warning in source.warnings:
            typer.echo(warning, err=True)
        typer.echo(f"{source.name}: {len(source.train)} images to learn from, {len(source.held_out)} held back.")
    return sources
