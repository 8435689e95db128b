"""Writes progress, summaries and errors to the terminal, and handles Ctrl-C. Knows nothing of training itself."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import typer
from tqdm import tqdm

from training.errors import BelowThreshold, CandidateRejected, TrainingError
from training.progress import HistoryPoint

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
    except KeyboardInterrupt:
        typer.echo("Stopped. Nothing was left half published.", err=True)
        raise typer.Exit(130) from None


@contextmanager
def progress_bar(iterations: int, label: str) -> Iterator[Callable[[int, HistoryPoint | None], None]]:
    """Show a bar with the loss, the validation score and the remaining time.

    Yields the function to call with the progress. It raises KeyboardInterrupt after Ctrl-C.
    """
    with tqdm(total=iterations, desc=label, unit="it", dynamic_ncols=True) as bar, defer_interrupt() as raise_deferred:

        def on_progress(iteration: int, point: HistoryPoint | None) -> None:
            raise_deferred()
            if point:
                bar.set_postfix(loss=f"{point.loss:.4f}", validation=f"{point.validation_score:.2%}", refresh=False)
            bar.update(iteration - bar.n)

        yield on_progress


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


def publish_and_report(publish: Callable[[], Path | None], checkpoint: Path) -> bool:
    """Publish the result of a run, and print the outcome. Return False if the model was rejected.

    The checkpoint is deleted once the model is judged, and kept after any other exception, so that the run can
    continue.
    """
    try:
        published = publish()
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
