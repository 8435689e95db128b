import sys
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import payloads
from benchmarks.environments import ROOT, PeerUnavailableError
from benchmarks.servers import digitserve_alone
from benchmarks.serving import newest_version
from benchmarks.turn import Judge, Picture, WrongAnswerError, take_turn

MODELS = ROOT / "models"


@pytest.fixture(scope="module")
def seven() -> Picture:
    return Judge(newest_version(MODELS / "convnet")).judge(payloads.digit_png())


@pytest.mark.slow
def test_a_server_is_asked_until_it_is_right_and_wrong_answers_are_noticed(seven: Picture) -> None:
    with take_turn(digitserve_alone(MODELS), seven) as turn:
        assert 0 < turn.start_seconds < 60
        turn.check([seven])
        other = replace(seven, normalised=replace(seven.normalised, probabilities=np.full(10, 0.1)))
        with pytest.raises(WrongAnswerError, match=r"to raw, where the model says"):
            turn.check([other])
    assert turn.program.processes() == []


def test_a_server_that_does_not_start_is_quoted(seven: Picture) -> None:
    server = replace(digitserve_alone(MODELS), command=(sys.executable, "-c", "raise SystemExit('no port left')"))
    with pytest.raises(PeerUnavailableError, match="no port left"), take_turn(server, seven):
        pytest.fail("it started")


def test_a_digit_in_mnists_form_is_the_same_to_everyone(seven: Picture) -> None:
    assert np.array_equal(seven.plainly.probabilities, seven.normalised.probabilities)
