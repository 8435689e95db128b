"""Writes progress, summaries and errors to the terminal, and handles Ctrl-C. Knows nothing of training itself."""

import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import typer
from tqdm import tqdm

from training.errors import BelowThreshold, CandidateRejected, TrainingError
from training.progress import HistoryPoint, OnProgress, OnStage

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NOTHING_TO_PUBLISH = "The run reproduced the served version. Nothing was published."


@contextmanager
def report_errors() -> Iterator[None]:
    """Turn errors that the user can resolve, and Ctrl-C, into one line and an exit code."""
    try:
        yield
    except TrainingError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from error
    except BrokenPipeError:
        raise  # the reader of a pipe has stopped, as `| head` does: typer ends the command silently
    except OSError as error:  # a full disk, or a file without permission
        path = f"{error.filename}: " if error.filename else ""
        typer.echo(f"Error: {path}{error.strerror or error}. Resolve this, and repeat the command.", err=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt as interrupt:
        notes = getattr(interrupt, "__notes__", [])
        typer.echo("\n".join(["Stopped. Nothing was left half published.", *notes]), err=True)
        raise typer.Exit(130) from None


@contextmanager
def progress_bar(iterations: int, label: str) -> Iterator[tuple[OnProgress, OnStage]]:
    """Show a bar with the loss, the validation score and the remaining time, or what a run does besides training.

    Yields the functions to call with the progress and with the stages. They raise KeyboardInterrupt after Ctrl-C. If
    the run has a checkpoint, a note says how to continue it.
    """
    has_checkpoint = False
    with (
        note_continuation(lambda: has_checkpoint),
        tqdm(total=iterations, desc=label, unit="it", dynamic_ncols=True) as bar,
        defer_interrupt() as raise_deferred,
    ):

        def on_progress(iteration: int, point: HistoryPoint | None) -> None:
            nonlocal has_checkpoint
            has_checkpoint = point is not None  # a checkpoint is saved at each point
            raise_deferred()
            if point:
                bar.set_postfix(loss=f"{point.loss:.4f}", validation=f"{point.validation_score:.2%}", refresh=False)
            bar.update(iteration - bar.n)

        def on_stage(stage: str) -> None:
            raise_deferred()
            bar.set_description(f"{label}, {stage}")

        yield on_progress, on_stage


@contextmanager
def note_continuation(has_checkpoint: Callable[[], bool]) -> Iterator[None]:
    """Add a note to KeyboardInterrupt that says how the run is continued, if it has a checkpoint."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        if has_checkpoint():
            interrupt.add_note(
                f"To continue the run from its checkpoint, repeat the command: {shlex.join(sys.orig_argv)}"
            )
        raise


@contextmanager
def status_line() -> Iterator[OnStage]:
    """Show what a command does, in a line that is removed at the end. Yields the function to call with each stage."""
    with tqdm(bar_format="{desc}", leave=False) as line:
        yield line.set_description_str


@contextmanager
def defer_interrupt() -> Iterator[Callable[[], None]]:
    """Defer the first Ctrl-C until the yielded function is called, or until the block ends.

    TensorFlow's C++ code calls Python, where KeyboardInterrupt can be raised at any line. TensorFlow does not expect
    that: it reports another error, or the process crashes. A second Ctrl-C is not deferred.
    """
    interrupted = False

    def defer(_number: int, _frame: FrameType | None) -> None:
        nonlocal interrupted
        interrupted = True
        signal.signal(signal.SIGINT, previous)

    def raise_deferred() -> None:
        if interrupted:
            raise KeyboardInterrupt

    previous = signal.signal(signal.SIGINT, defer)
    try:
        yield raise_deferred
        raise_deferred()
    finally:
        signal.signal(signal.SIGINT, previous)


def publish_and_report(publish: Callable[[OnStage], Path | None], checkpoint: Path) -> bool:
    """Publish the result of a run, and print the outcome. Return False if the model was rejected.

    `publish` is called with a function that shows what it does. The checkpoint is deleted once the model is judged, and
    kept after any other exception, so that the run can continue.
    """
    try:
        with note_continuation(checkpoint.exists), status_line() as on_stage:
            published = publish(on_stage)
    except (BelowThreshold, CandidateRejected) as error:
        checkpoint.unlink(missing_ok=True)
        typer.echo(f"Error: {error}", err=True)
        return False
    checkpoint.unlink(missing_ok=True)
    typer.echo(f"Published {published}" if published else NOTHING_TO_PUBLISH)
    return True


def summary(report: dict[str, Any]) -> str:
    """Summarise a test report in one line."""
    low, high = report["interval_95"]
    return (
        f"Test: {report['correct']} of {report['total']} right, {report['accuracy']:.2%} "
        f"(95 % interval {low:.2%} to {high:.2%}); expected calibration error "
        f"{report['expected_calibration_error']:.2%}, negative log-likelihood "
        f"{report['negative_log_likelihood']:.4f}, abstained on {report['abstained']}."
    )


def write_figure(figure: "Figure", path: Path) -> None:
    """Write a figure as a PNG, whatever the suffix of the path, and print the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120, format="png")  # without a format, matplotlib derives it from the suffix
    typer.echo(f"Wrote {path}")
