import pytest

from benchmarks.bars import Bar, serving_bars, training_bars
from benchmarks.results import ServingResults, TrainingResults


def test_the_median_decides_whether_a_bar_is_met() -> None:
    assert Bar("", [0.1, 0.5, 0.6], limit=0.4).met
    assert not Bar("", [0.3, 0.3, 0.9], limit=0.4).met
    assert Bar("", [1.0, 2.0, 9.0], limit=2, at_least=False).met


@pytest.mark.parametrize(
    ("text", "found", "met"),
    [
        ("raw, 16 connections: rate / do nothing", [0.5, 0.5], True),
        ("multipart, 64 connections: rate / do nothing", [0.5, 0.5], False),
        ("raw, 64 connections: rate / Litserve", [10, 10], True),
        ("raw, one connection: p50 / p50 of do nothing", [2, 2], True),
        ("raw, 16 connections: two workers / one", [2, 2], True),
        ("one worker: start to first correct answer", [1.5], True),
        ("one worker: resident memory", [190], False),
        ("overload with the photo: correct answers a second / highest rate without overload", [0.95], True),
        ("overload with the photo: number of faulty responses", [3], False),
    ],
)
def test_ratios_are_of_figures_of_the_same_round(
    serving: ServingResults, text: str, found: list[float], *, met: bool
) -> None:
    bar = next(bar for bar in serving_bars(serving) if bar.text == text)
    assert (bar.found, bar.met) == (pytest.approx(found), met)


def test_missing_results_have_no_bar(serving: ServingResults) -> None:
    texts = [bar.text for bar in serving_bars(serving)]
    assert not [text for text in texts if "drawing" in text or "batches" in text or "MLServer" in text]


def test_training_bars_are_ratios_of_the_time_of_a_step(training: TrainingResults) -> None:
    fit, pytorch = training_bars(training)
    assert (fit.value, fit.met) == (7, True)
    assert (pytorch.value, pytorch.met) == (0.9, False)
