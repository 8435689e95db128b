import sys
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import payloads
from benchmarks.environments import ROOT, PeerUnavailableError
from benchmarks.servers import digitserve_one_worker
from benchmarks.serving import newest_version
from benchmarks.turn import Picture, Reference, WrongAnswerError, take_turn

MODELS = ROOT / "models"


@pytest.fixture(scope="module")
def seven() -> Picture:
    return Reference(newest_version(MODELS / "convnet")).predict(payloads.digit_png())


@pytest.mark.slow
def test_a_turn_begins_with_correct_answers_and_wrong_answers_raise_an_error(seven: Picture) -> None:
    with take_turn(digitserve_one_worker(MODELS), seven) as turn:
        assert 0 < turn.start_seconds < 60
        turn.check([seven])
        other = replace(seven, normalised=replace(seven.normalised, probabilities=np.full(10, 0.1)))
        with pytest.raises(WrongAnswerError, match="it answered raw with 7"):
            turn.check([other])
    assert turn.program.processes() == []


def test_the_error_for_a_failed_start_contains_the_log(seven: Picture) -> None:
    server = replace(digitserve_one_worker(MODELS), command=(sys.executable, "-c", "raise SystemExit('no port left')"))
    with pytest.raises(PeerUnavailableError, match="no port left"), take_turn(server, seven):
        pytest.fail("it started")


def test_a_digit_in_mnists_form_has_the_same_prediction_with_both_kinds_of_preprocessing(seven: Picture) -> None:
    assert np.array_equal(seven.resized.probabilities, seven.normalised.probabilities)
