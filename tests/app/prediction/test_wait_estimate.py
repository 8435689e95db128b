import pytest

from app.errors import Overloaded
from app.prediction.wait_estimate import WaitEstimate


def estimate(longest_wait_seconds: float) -> WaitEstimate:
    return WaitEstimate("it is read", longest_wait_seconds=longest_wait_seconds, initial_seconds=0.1)


def test_a_picture_is_refused_if_those_before_it_take_too_long() -> None:
    wait = estimate(0.25)
    with wait.waiting(), wait.waiting():
        assert wait.overload_error() is None
        with wait.waiting(), pytest.raises(Overloaded, match=r"would wait 300 milliseconds before it is read\."):
            wait.waiting().__enter__()
    assert wait.overload_error() is None


def test_two_pictures_are_accepted_however_long_they_wait() -> None:
    wait = estimate(0.001)
    with wait.waiting():
        assert wait.overload_error() is None
        with wait.waiting():
            assert wait.overload_error() is not None


def test_the_estimate_follows_the_observed_times() -> None:
    wait = estimate(0.25)
    for _ in range(30):
        wait.observe(1)
    assert "would wait 1998 milliseconds" in str(wait.overload_error(received=2))
    for _ in range(60):
        wait.observe(0.001)
    assert wait.overload_error(received=2) is None


def test_a_picture_that_fails_waits_no_longer() -> None:
    wait = estimate(0.001)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), wait.waiting():
            raise ZeroDivisionError
    assert wait.overload_error() is None
