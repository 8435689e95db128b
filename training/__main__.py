"""The command line, `python -m training`. Reads options and prints; the work is done elsewhere.

TensorFlow takes seconds to import: a command imports what needs it once its options are known to be good.
"""

# ruff: noqa: PLC0415

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from tqdm import tqdm

from training import comparison
from training.config import DEFAULTS, MODEL_NAMES, ModelName
from training.data import Examples, Mnist, Part, load_mnist
from training.errors import TrainingError
from training.pictures import confusion, find_pictures, judge, summarise
from training.quiet import import_tensorflow
from training.results import results_table
from training.robustness import measure_robustness, robustness_table
from training.sources import Source, load_sources

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from training.loop import HistoryPoint
    from training.run import Run

SHEET_LENGTH = 160
"""The most pictures on a contact sheet."""

NOTHING_TO_PUBLISH = "It gives the very answers of the version that is served. There is nothing to publish."

app = typer.Typer(
    help="Teach two classifiers of handwritten digits with MNIST, and publish them as SavedModels.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _defaults(field: str) -> str:
    return ", ".join(f"{getattr(DEFAULTS[name], field)} for {name}" for name in MODEL_NAMES)


Model = Annotated[ModelName, typer.Argument(help="The softmax regression xW + b, or the convolutional network.")]
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


@app.command()
def train(  # noqa: PLR0913, PLR0917 (each is an option of the command)
    model: Model,
    seed: Annotated[int, typer.Option(help="The same seed on the same machine gives the same weights.")] = 1337,
    iterations: Annotated[int | None, typer.Option(help=f"Batches to learn from. [{_defaults('iterations')}]")] = None,
    batch_size: Annotated[int | None, typer.Option(help=f"Images in a batch. [{_defaults('batch_size')}]")] = None,
    learning_rate: Annotated[float | None, typer.Option(help=f"The base rate. [{_defaults('learning_rate')}]")] = None,
    also: Also = None,
    also_share: Annotated[
        float | None, typer.Option(help=f"How much of an epoch comes from --also. [{_defaults('also_share')}]")
    ] = None,
    models: ModelsFolder = Path("models"),
    mnist: MnistFolder = None,
    figures: Annotated[
        Path | None, typer.Option(help="Also draw curves and confusion into this folder, as PNGs.")
    ] = None,
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Publish whatever the gate says; the card keeps that.")
    ] = False,
) -> None:
    """Teach a model and publish it as its next version, unless it is no better than the version before."""
    with told_plainly():
        options = {
            "iterations": iterations,
            "batch_size": batch_size,
            "learning_rate": learning_rate,
            "also_share": also_share,
        }
        chosen: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
        config = replace(DEFAULTS[model], seed=seed, **chosen)
        examples = load_mnist(mnist)
        sources = read_sources(also or [], examples)
        import_tensorflow()
        from training import run

        with progress_bar(config.iterations, model) as on_progress:
            made = run.train(config, examples, on_progress, sources)
        typer.echo(summary(made.card["test"]))
        if figures:
            write_figures(made, figures)
        published = run.publish(made, models, examples.test, force=force)
        typer.echo(f"Published {published}" if published else NOTHING_TO_PUBLISH)


@app.command()
def evaluate(  # noqa: PLR0913 (each is an option of the command)
    model: Annotated[str, typer.Argument(metavar="NAME", help="The model's name.")],
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
    part: Annotated[Part, typer.Option(help="With --corrupted: the part of MNIST to corrupt.")] = "test",
    models: ModelsFolder = Path("models"),
    mnist: MnistFolder = None,
) -> None:
    """Recompute the test report of an artefact, and say whether it agrees with its model.json (exit 1 if not)."""
    with told_plainly():
        import_tensorflow()
        from training import export, run

        artefact = export.find_version(models, model, version)
        if pictures:
            evaluate_pictures(artefact, pictures, by, sheet)
            return
        if corrupted:
            evaluate_corrupted(artefact, load_mnist(mnist).part(part))
            return
        found, differing = run.check(artefact, load_mnist(mnist))
    typer.echo(summary(found))
    if differing:
        typer.echo(f"{artefact / export.CARD} says otherwise in: {', '.join(differing)}.", err=True)
        raise typer.Exit(1)
    typer.echo(f"{artefact / export.CARD} agrees.")


def evaluate_pictures(artefact: Path, folder: Path, column: str | None, sheet: Path | None) -> None:
    """Print how well an artefact reads a folder of pictures, and draw a contact sheet of them."""
    from training import export

    predict, card = export.load(artefact)
    verdicts, unreadable = judge(find_pictures(folder), partial(export.answer, predict), card["abstention"])
    for picture, reason in unreadable:
        typer.echo(f"{picture.path}: {reason}", err=True)
    for line in summarise(verdicts, column):
        typer.echo(line)
    typer.echo(f"Confusion, the true digit in rows:\n{confusion(verdicts)}")
    if sheet and verdicts:
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
    models: ModelsFolder = Path("models"),
    mnist: MnistFolder = None,
) -> None:
    """Compare two versions by what they read right, by their calibration and by their cost, as the gate does."""
    with told_plainly():
        import_tensorflow()
        from training import export, run

        old, new = (run.enter(export.find_named(models, named)) for named in (before, after))
        measures = comparison.compare(old, new, load_mnist(mnist).test)
        for line in comparison.comparison_table(old, new, measures):
            typer.echo(line)


@app.command()
def results(models: ModelsFolder = Path("models")) -> None:
    """Print a table of what the published versions reach, as Markdown."""
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


@contextmanager
def told_plainly() -> Iterator[None]:
    """Turn what a person can mend, and Ctrl-C, into one line and an exit code."""
    try:
        yield
    except TrainingError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        typer.echo("Stopped. Nothing was left half published.", err=True)
        raise typer.Exit(130) from None


@contextmanager
def progress_bar(iterations: int, label: str) -> Iterator[Callable[[int, "HistoryPoint | None"], None]]:
    """Show a bar with the loss, the validation accuracy and the time left; gives what is to hear of progress."""
    with tqdm(total=iterations, desc=label, unit="it", dynamic_ncols=True) as bar:

        def on_progress(iteration: int, point: "HistoryPoint | None") -> None:
            if point:
                bar.set_postfix(loss=f"{point.loss:.4f}", validation=f"{point.validation_accuracy:.2%}", refresh=False)
            bar.update(iteration - bar.n)

        yield on_progress


def summary(report: dict[str, Any]) -> str:
    """Say what a test report comes to, in one line."""
    low, high = report["interval_95"]
    return (
        f"Test: {report['correct']} of {report['total']} right, {report['accuracy']:.2%} "
        f"(95 % interval {low:.2%} to {high:.2%}); expected calibration error "
        f"{report['expected_calibration_error']:.2%}, negative log-likelihood "
        f"{report['negative_log_likelihood']:.4f}, abstained on {report['abstained']}."
    )


def write_figures(made: "Run", folder: Path) -> None:
    """Draw what a run was like: curves, confusion and, for softmax, the weights of each digit."""
    from training import figures
    from training.networks import Affine

    name = made.card["name"]
    write_figure(figures.draw_curves(made.card["history"]), folder / f"{name}-curves.png")
    write_figure(figures.draw_confusion(made.card["test"]["confusion"]), folder / f"{name}-confusion.png")
    if isinstance(made.network, Affine):
        write_figure(figures.draw_weight_images(made.network.weights.numpy()), folder / f"{name}-weights.png")


def write_figure(figure: "Figure", path: Path) -> None:
    """Write a figure as a PNG and say where."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    typer.echo(f"Wrote {path}")


if __name__ == "__main__":
    app(prog_name="python -m training")
