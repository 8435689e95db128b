import sys
from collections.abc import Iterator

import pytest

from app.score.progress import progress


def clock(*seconds: float) -> Iterator[float]:
    yield from seconds


def test_a_terminal_has_a_bar(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress(10) as update:
        update(4, earlier=True)
        update(6)
    assert "10/10" in capsys.readouterr().err


def test_a_log_has_a_line_a_minute(capsys: pytest.CaptureFixture[str]) -> None:
    times = clock(0, 10, 60, 70, 130)
    with progress(5000, lambda: next(times)) as update:
        update(1000, earlier=True)  # after 10 seconds
        update(600)
        update(600)
        update(600)
    assert capsys.readouterr().err == "1,600 of 5,000 pictures, 10 a second\n2,800 of 5,000 pictures, 14 a second\n"


def test_the_number_of_pictures_may_be_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    times = clock(0, 60)
    with progress(None, lambda: next(times)) as update:
        update(600)
    assert capsys.readouterr().err == "600 pictures, 10 a second\n"
