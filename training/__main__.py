"""The command line, `python -m training`. Reads options and prints; the work is done elsewhere.

TensorFlow takes seconds to import: a command imports what needs it once its options are known to be good.
"""

# ruff: noqa: PLC0415

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from training import comparison, versions
from training.config import DEFAULTS, MODEL_NAMES, TrainingConfig
from training.data import Examples, Mnist, Part, load_mnist
from training.errors import BarMissed, DataError, GateClosed
from training.options import Also, MnistFolder, Models, ModelsFolder, defaults_of, refuse_alone
from training.pictures import confusion, find_pictures, judge, summarise
from training.quiet import import_tensorflow
from training.results import results_table
from training.robustness import measure_robustness, robustness_table
from training.sources import Source, join, load_sources
from training.terminal import progress_bar, summary, told_plainly, write_figure
from training.versions import find_named, find_teacher, find_version
from training.workspace import checkpoint_path, make_folder, only_run

if TYPE_CHECKING:
    from training.run import Run

SHEET_LENGTH = 160
"""The most pictures on a contact sheet."""

NOTHING_TO_PUBLISH = "It gives the very answers of the version that is served. There is nothing to publish."

app = typer.Typer(
    help="Teach two classifiers of handwritten digits with MNIST, and publish them as SavedModels.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # or "[the highest]" in a help text would be taken for markup, and left out
)


@app.command()
def train(  # noqa: PLR0913, PLR0917 (each is an option of the command)
    names: Models = None,
    seed: Annotated[int, typer.Option(help="The same seed on the same machine gives the same weights.")] = 1337,
    iterations: Annotated[
        int | None, typer.Option(help=f"Batches to learn from. [{defaults_of('iterations')}]")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help=f"Images in a batch. [{defaults_of('batch_size')}]")] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help=f"The base rate. [{defaults_of('learning_rate')}]")
    ] = None,
    also: Also = None,
    also_share: Annotated[
        float | None, typer.Option(help=f"How much of an epoch comes from --also. [{defaults_of('also_share')}]")
    ] = None,
    models: ModelsFolder = Path("models"),
    mnist: MnistFolder = None,
    figures: Annotated[
        Path | None, typer.Option(help="Also draw curves and confusion into this folder, as PNGs.")
    ] = None,
    *,
    without_teacher: Annotated[
        bool,
        typer.Option(
            "--without-teacher",
            help="Learn from labels alone. [the convnet learns from what convnet/3 says, too]",
        ),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Publish whatever the gate says; the card keeps that.")
    ] = False,
) -> None:
    """Teach a model and publish it as its next version, unless it is no better than the version before.

    A run that was killed goes on where it was when the same command is given again.
    """
    if not also:
        refuse_alone({"--also-share": also_share}, "--also")
    with told_plainly():
        options = {
            "iterations": iterations,
            "batch_size": batch_size,
            "learning_rate": learning_rate,
            "also_share": also_share,
        }
        chosen: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
        if without_teacher:
            chosen["distillation"] = None
        configs = [replace(DEFAULTS[name], seed=seed, **chosen) for name in MODEL_NAMES if name in (names or ())]
        for distillation in filter(None, (config.distillation for config in configs)):
            find_teacher(models, distillation.teacher)  # or say now that it is not there, and not after minutes
        if figures:
            make_folder(figures)
        with only_run(models):
            examples = load_mnist(mnist)
            sources = read_sources(also or [], examples)
            import_tensorflow()
            from training import run

            for config in configs:
                run.check_newest(config.model, models)  # or say now that it is broken, as of the teacher
            done = [teach(config, examples, sources, models, figures, force=force) for config in configs]
    if not all(done):
        raise typer.Exit(1)


def teach(  # noqa: PLR0913 (what the command was told)
    config: TrainingConfig,
    mnist: Mnist,
    sources: list[Source],
    models: Path,
    figures: Path | None,
    *,
    force: bool,
) -> bool:
    """Teach one model and publish it; says so, or why not, and tells whether it is published now."""
    from training import run

    kept_in = checkpoint_path(models, config.model)
    with progress_bar(config.iterations, config.model) as on_progress:
        made = run.train(config, mnist, on_progress, sources, models=models, kept_in=kept_in)
    typer.echo(summary(made.card["test"]))
    if figures:
        write_figures(made, figures)
    try:
        held_back = join([source.held_back for source in sources])
        published = run.publish(made, models, mnist.test, held_back, force=force)
    except (BarMissed, GateClosed) as error:
        kept_in.unlink(missing_ok=True)
        typer.echo(f"Error: {error}", err=True)
        return False
    kept_in.unlink(missing_ok=True)  # judged, this run is over; stopped, or with a full disk, it can go on from there
    typer.echo(f"Published {published}" if published else NOTHING_TO_PUBLISH)
    return True


@app.command()
def evaluate(  # noqa: PLR0913 (each is an option of the command)
    model: Annotated[str, typer.Argument(metavar="NAME", help="The model's name, or a version, such as convnet/2.")],
    version: Annotated[int | None, typer.Option(help="Its version. [the highest]")] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(help="Judge it by this folder of pictures instead: a CSV, or a folder for each class."),
    ] = None,
    by: Annotated[str | None, typer.Option(help="With --pictures: also by this column of the CSV.")] = None,
    sheet: Annotated[
        Path | None, typer.Option(help="With --pictures: a contact sheet as PNG, the worst first.")
    ] = None,
    *,
    corrupted: Annotated[bool, typer.Option("--corrupted", help="Judge it by fifteen corruptions of MNIST.")] = False,
    part: Annotated[Part | None, typer.Option(help="With --corrupted: the part of MNIST to corrupt. [test]")] = None,
    models: ModelsFolder = Path("models"),
    mnist: MnistFolder = None,
) -> None:
    """Recompute the test report of an artefact, and say whether it agrees with its model.json (exit 1 if not)."""
    if not pictures:
        refuse_alone({"--by": by, "--sheet": sheet}, "--pictures")
    if not corrupted:
        refuse_alone({"--part": part}, "--corrupted")
    if pictures and corrupted:
        msg = "--pictures and --corrupted are two ways to judge a model. Choose one of them."
        raise typer.BadParameter(msg)
    if version is not None and "/" in model:
        msg = f"'{model}' names a version already. Leave --version out, or name the model alone."
        raise typer.BadParameter(msg)
    with told_plainly():
        artefact = find_named(models, model) if version is None else find_version(models, model, version)
        import_tensorflow()
        from training import export, run

        if pictures:
            evaluate_pictures(artefact, pictures, by, sheet)
            return
        if corrupted:
            evaluate_corrupted(artefact, load_mnist(mnist).part(part or "test"))
            return
        found, differing = run.check(artefact, load_mnist(mnist))
    typer.echo(summary(found))
    if differing:
        typer.echo(f"{artefact / export.CARD} says otherwise in: {', '.join(differing)}.", err=True)
        raise typer.Exit(1)
    typer.echo(f"{artefact / export.CARD} agrees.")


def evaluate_pictures(artefact: Path, folder: Path, column: str | None, sheet: Path | None) -> None:
    """Print how well an artefact reads a folder of pictures, and draw a contact sheet of them.

    Raises DataError if none of them can be read.
    """
    from training import export

    predict, card = export.load(artefact)
    verdicts, unreadable = judge(find_pictures(folder), partial(export.answer, predict), card["abstention"])
    for picture, reason in unreadable:
        typer.echo(f"{picture.path}: {reason}", err=True)
    if not verdicts:
        msg = f"None of the {len(unreadable)} pictures in {folder} can be read. Expected PNG, JPEG or the like."
        raise DataError(msg)
    for line in summarise(verdicts, column):
        typer.echo(line)
    typer.echo(f"Confusion, the true digit in rows:\n{confusion(verdicts)}")
    if sheet:
        from training.figures import draw_contact_sheet

        worst_first = sorted(verdicts, key=lambda verdict: (verdict.right, verdict.reason is None, verdict.confidence))
        write_figure(draw_contact_sheet(worst_first[:SHEET_LENGTH]), sheet)


def evaluate_corrupted(artefact: Path, examples: Examples) -> None:
    """Print how well an artefact reads examples under each corruption."""
    from training import export

    predict, _ = export.load(artefact)
    for line in robustness_table(measure_robustness(partial(export.answer, predict), examples)):
        typer.echo(line)


@app.command()
def compare(
    before: Annotated[str, typer.Argument(metavar="A", help="A version, such as convnet/2; convnet: its highest.")],
    after: Annotated[str, typer.Argument(metavar="B", help="Another, to be found better or worse than A.")],
    also: Annotated[
        list[str] | None, typer.Option(metavar="SOURCE", help="Compare by what this holds back, too: as for train.")
    ] = None,
    models: ModelsFolder = Path("models"),
    mnist: MnistFolder = None,
) -> None:
    """Compare two versions by what they read right, by their calibration and by their cost, as the gate does."""
    with told_plainly():
        folders = [find_named(models, named) for named in (before, after)]
        examples = load_mnist(mnist)
        held_back = join([source.held_back for source in read_sources(also or [], examples)])
        import_tensorflow()
        from training import run

        old, new = (run.enter(folder) for folder in folders)
        measures = comparison.compare(old, new, examples.test, held_back)
        for line in comparison.comparison_table(old, new, measures):
            typer.echo(line)


@app.command()
def rollback(
    name: Annotated[str, typer.Argument(help="The model's name.")],
    models: ModelsFolder = Path("models"),
) -> None:
    """Withdraw the highest version of a model, so that the one below it is served."""
    with told_plainly():
        highest = find_version(models, name)
        served = versions.rollback(models, name)
        back_again = f"python -m training promote {name} {highest.name} --models {models}"
        typer.echo(f"Served: {served}. Back again: {back_again}")


@app.command()
def promote(
    name: Annotated[str, typer.Argument(help="The model's name.")],
    version: Annotated[int, typer.Argument(help="The version that is to be served.")],
    models: ModelsFolder = Path("models"),
) -> None:
    """Have a version served: bring it back if it was withdrawn, and withdraw all above it."""
    with told_plainly():
        typer.echo(f"Served: {versions.promote(models, name, version)}")


@app.command()
def results(models: ModelsFolder = Path("models")) -> None:
    """Print a table of what the published versions reach, as Markdown."""
    with told_plainly():
        for line in results_table(models):
            typer.echo(line)


@app.command()
def show(
    indices: Annotated[list[int], typer.Argument(metavar="INDEX...", help="Which images, counted from 0.")],
    part: Annotated[Part, typer.Option(help="The part of MNIST to take them from.")] = "train",
    out: Annotated[Path, typer.Option(help="The PNG to write.")] = Path("samples.png"),
    mnist: MnistFolder = None,
) -> None:
    """Draw images of MNIST with their labels."""
    with told_plainly():
        examples = load_mnist(mnist).part(part)
        from training.figures import show_sample

        write_figure(show_sample(examples, indices), out)


def read_sources(addresses: list[str], mnist: Mnist) -> list[Source]:
    """Read what is learnt beside MNIST, and say of each source what there is to know before training starts."""
    sources = load_sources(addresses, mnist.test.images)
    for source in sources:
        for remark in source.remarks:
            typer.echo(remark, err=True)
        typer.echo(f"{source.name}: {len(source.learn)} images to learn from, {len(source.held_back)} held back.")
    return sources


def write_figures(made: "Run", folder: Path) -> None:
    """Draw what a run was like: curves, confusion and, for softmax, the weights of each digit."""
    from training import figures
    from training.networks import Affine

    name = made.card["name"]
    write_figure(figures.draw_curves(made.card["history"]), folder / f"{name}-curves.png")
    write_figure(figures.draw_confusion(made.card["test"]["confusion"]), folder / f"{name}-confusion.png")
    if isinstance(made.network, Affine):
        write_figure(figures.draw_weight_images(made.network.weights.numpy()), folder / f"{name}-weights.png")


if __name__ == "__main__":
    app(prog_name="python -m training")
