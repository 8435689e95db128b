from pathlib import Path

import pytest
from PIL import Image

from benchmarks import figures
from benchmarks.results import ServingResults

pytestmark = pytest.mark.slow


def test_no_plot_is_empty(serving: ServingResults, tmp_path: Path) -> None:
    names = figures.draw_serving(serving, tmp_path)
    assert names == ["rates.png", "latencies.png", "overload.png"]
    for name in names:
        with Image.open(tmp_path / name) as picture:
            assert len(picture.convert("RGB").getcolors(1 << 20) or []) > 20


def test_without_an_overload_there_is_no_plot_of_it(serving: ServingResults, tmp_path: Path) -> None:
    serving.overloads = []
    assert "overload.png" not in figures.draw_serving(serving, tmp_path)
