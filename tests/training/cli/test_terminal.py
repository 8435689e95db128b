import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from matplotlib.figure import Figure

from training.cli.terminal import (
    defer_interrupt,
    progress_bar,
    publish_and_report,
    report_errors,
    status_line,
    summary,
    write_figure,
)
from training.errors import BelowThreshold, CandidateRejected, DataError
from training.progress import HistoryPoint, OnStage


@pytest.fixture(autouse=True)
def _raise_on_interrupt() -> Iterator[None]:
    """Make Ctrl-C raise, even if a shell started the tests in the background, where it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_training_error_prints_one_line_and_exits_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as caught, report_errors():
        raise DataError("The file is missing. Put it there.")  # noqa: EM101, TRY003 - the message is tested
    assert caught.value.exit_code == 1
    assert capsys.readouterr().err == "Error: The file is missing. Put it there.\n"


def test_ctrl_c_prints_one_line_and_exits_with_130(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as caught, report_errors():
        raise KeyboardInterrupt
    assert caught.value.exit_code == 130
    assert capsys.readouterr().err == "Stopped. Nothing was left half published.\n"


def test_an_operating_system_error_prints_one_line_and_exits_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as caught, report_errors():
        tmp_path.read_text()
    assert caught.value.exit_code == 1
    assert capsys.readouterr().err == (f"Error: {tmp_path}: Is a directory. Resolve this, and repeat the command.\n")
    with pytest.raises(BrokenPipeError), report_errors():
        raise BrokenPipeError


def test_other_exceptions_are_not_caught() -> None:
    with pytest.raises(ZeroDivisionError), report_errors():
        _ = 1 / 0


def test_the_progress_bar_starts_where_a_continued_run_does(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar(100, "convnet") as (on_progress, _):
        on_progress(50, None)
        on_progress(100, None)
    shown = capsys.readouterr().err
    assert "convnet" in shown
    assert "100/100" in shown


def test_the_progress_bar_shows_what_a_run_does_besides_training(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar(100, "convnet") as (on_progress, on_stage):
        on_progress(100, None)
        on_stage("measuring the accuracy under fog")
        assert "convnet, measuring the accuracy under fog: 100%" in capsys.readouterr().err


def test_a_status_line_shows_each_stage_and_is_removed(capsys: pytest.CaptureFixture[str]) -> None:
    with status_line() as on_stage:
        on_stage("comparing with convnet 6")
        assert "comparing with convnet 6" in capsys.readouterr().err
    assert capsys.readouterr().err.split("\r")[-1].strip() == ""


def test_ctrl_c_is_deferred_until_the_end_of_the_block() -> None:
    before = signal.getsignal(signal.SIGINT)
    reached = False
    with pytest.raises(KeyboardInterrupt), defer_interrupt():  # noqa: PT012 - how far it gets is tested
        signal.raise_signal(signal.SIGINT)
        reached = True
    assert reached
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_is_deferred_until_the_next_progress_report() -> None:
    with pytest.raises(KeyboardInterrupt), progress_bar(100, "convnet") as (on_progress, _):  # noqa: PT012 - as above
        signal.raise_signal(signal.SIGINT)
        on_progress(50, None)
        pytest.fail("It continued.")


def test_ctrl_c_is_deferred_until_the_next_stage() -> None:
    with pytest.raises(KeyboardInterrupt), progress_bar(100, "convnet") as (_, on_stage):  # noqa: PT012 - as above
        signal.raise_signal(signal.SIGINT)
        on_stage("measuring the accuracy under fog")
        pytest.fail("It continued.")


@pytest.mark.parametrize("point", [None, HistoryPoint(250, 0.1, 0.98)])
def test_ctrl_c_says_how_a_run_with_a_checkpoint_is_continued(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, point: HistoryPoint | None
) -> None:
    monkeypatch.setattr("sys.orig_argv", ["python", "-m", "training", "train", "convnet", "--models", "my models"])
    with pytest.raises(typer.Exit), report_errors(), progress_bar(500, "convnet") as (on_progress, _):  # noqa: PT012
        on_progress(250, point)
        raise KeyboardInterrupt
    advice = "To continue the run from its checkpoint, repeat the command: "
    command = "python -m training train convnet --models 'my models'"
    stopped = "Stopped. Nothing was left half published.\n"
    assert capsys.readouterr().err.endswith(f"{stopped}{advice}{command}\n" if point else stopped)


def test_ctrl_c_in_a_comparison_says_how_the_run_is_continued(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def publish(on_stage: OnStage) -> None:
        raise KeyboardInterrupt

    checkpoint = tmp_path / "finder.npz"
    checkpoint.touch()
    with pytest.raises(typer.Exit), report_errors():
        publish_and_report(publish, checkpoint)
    assert "To continue the run from its checkpoint" in capsys.readouterr().err


def test_a_second_ctrl_c_is_not_deferred() -> None:
    with pytest.raises(KeyboardInterrupt), defer_interrupt():  # noqa: PT012 - the first line must not raise
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        pytest.fail("It waited.")


@pytest.mark.parametrize(
    ("outcome", "passes", "said"),
    [
        (Path("models/finder/1"), True, "Published models/finder/1\n"),
        (None, True, "The run reproduced the served version. Nothing was published.\n"),
        (BelowThreshold("Too few."), False, "Error: Too few.\n"),
        (CandidateRejected("It is worse."), False, "Error: It is worse.\n"),
    ],
)
def test_the_checkpoint_is_deleted_once_the_model_is_judged(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    outcome: Path | Exception | None,
    said: str,
    *,
    passes: bool,
) -> None:
    def publish(on_stage: OnStage) -> Path | None:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    checkpoint = tmp_path / "finder.npz"
    checkpoint.touch()
    assert publish_and_report(publish, checkpoint) is passes
    assert not checkpoint.exists()
    printed = capsys.readouterr()
    assert printed.out + printed.err.replace("\r", "") == said


def test_the_checkpoint_is_kept_after_any_other_exception(tmp_path: Path) -> None:
    def publish(on_stage: OnStage) -> Path | None:
        raise PermissionError

    checkpoint = tmp_path / "finder.npz"
    checkpoint.touch()
    with pytest.raises(PermissionError):
        publish_and_report(publish, checkpoint)
    assert checkpoint.exists()


def test_a_summary_is_one_line() -> None:
    report = {
        "correct": 9961,
        "total": 10000,
        "accuracy": 0.9961,
        "interval_95": (0.9947, 0.9971),
        "expected_calibration_error": 0.0016,
        "negative_log_likelihood": 0.0133,
        "abstained": 41,
    }
    assert summary(report) == (
        "Test: 9961 of 10000 right, 99.61% (95 % interval 99.47% to 99.71%); expected calibration error 0.16%, "
        "negative log-likelihood 0.0133, abstained on 41."
    )


@pytest.mark.parametrize("name", ["figure.png", "figure", "figure.foo", "figure.pdf"])
def test_a_figure_is_written_as_png_to_its_path(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    path = tmp_path / "new" / name
    write_figure(Figure(), path)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert capsys.readouterr().out == f"Wrote {path}\n"
