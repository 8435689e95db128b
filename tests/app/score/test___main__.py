import runpy
import sys
from importlib import util

import pytest


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit) as exit_:
        runpy.run_path("app/score/__main__.py", run_name="__main__")
    assert str(exit_.value.code) == (
        "python -m app.score needs more packages, pyarrow and tqdm: pip install '.[score]'"
    )


def test_child_processes_that_run_the_file_again_score_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["app.score"])
    runpy.run_path("app/score/__main__.py", run_name="__mp_main__")
