"""What a person sees of a command: progress, a summary, errors in one line. Knows nothing of how the work is done."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import typer
from tqdm import tqdm

from training.errors import TrainingError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from training.loop import HistoryPoint


@contextmanager
def told_plainly() -> Iterator[None]:
    """Turn what a person can mend, and Ctrl-C, into one line and an exit code."""
    try:
        yield
    except TrainingError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from error
    except BrokenPipeError:
        raise  # whoever reads has heard enough, as with `| head`: the command ends without a word
    except OSError as error:  # a full disk, or a file that may not be read or written
        place = f"{error.filename}: " if error.filename else ""
        typer.echo(f"Error: {place}{error.strerror or error}. Mend that, and give the same command again.", err=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        typer.echo("Stopped. Nothing was left half published.", err=True)
        raise typer.Exit(130) from None


@contextmanager
def progress_bar(iterations: int, label: str) -> Iterator[Callable[[int, "HistoryPoint | None"], None]]:
    """Show a bar with the loss, the validation accuracy and the time left; gives what is to hear of progress.

    Ctrl-C stops the run where it tells of its progress.
    """
    with tqdm(total=iterations, desc=label, unit="it", dynamic_ncols=True) as bar, hold_interrupt() as let_interrupt:

        def on_progress(iteration: int, point: "HistoryPoint | None") -> None:
            let_interrupt()
            if point:
                bar.set_postfix(loss=f"{point.loss:.4f}", validation=f"{point.validation_accuracy:.2%}", refresh=False)
            bar.update(iteration - bar.n)

        yield on_progress


@contextmanager
def hold_interrupt() -> Iterator[Callable[[], None]]:
    """Hold Ctrl-C back; gives what lets it through, as the end of the block does. The second one is not held back.

    TensorFlow's C++ calls Python, where KeyboardInterrupt may be raised at any line, and is not written for that: the
    interrupt is taken for another error, or the process crashes.
    """
    held = False

    def hold(_number: int, _frame: FrameType | None) -> None:
        nonlocal held
        held = True
        signal.signal(signal.SIGINT, before)

    def let() -> None:
        if held:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, hold)
    try:
        yield let
        let()
    finally:
        signal.signal(signal.SIGINT, before)


def summary(report: dict[str, Any]) -> str:
    """Say what a test report comes to, in one line."""
    low, high = report["interval_95"]
    return (
        f"Test: {report['correct']} of {report['total']} right, {report['accuracy']:.2%} "
        f"(95 % interval {low:.2%} to {high:.2%}); expected calibration error "
        f"{report['expected_calibration_error']:.2%}, negative log-likelihood "
        f"{report['negative_log_likelihood']:.4f}, abstained on {report['abstained']}."
    )


def write_figure(figure: "Figure", path: Path) -> None:
    """Write a figure as a PNG, whatever the file is called, and say where."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120, format="png")  # or another name would choose another format, or be changed
    typer.echo(f"Wrote {path}")
