from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from training.data import Mnist
from training.errors import DataError
from training.figures import draw_confusion, draw_curves, draw_weight_images, show_sample


def titles(figure: Figure) -> list[str]:
    return [axes.get_title() for axes in figure.axes]


def test_samples_stand_under_their_labels(bars: Mnist) -> None:
    figure = show_sample(bars.train, [10, 3])
    assert titles(figure) == [f"{bars.train.labels[10]}   (#10)", f"{bars.train.labels[3]}   (#3)"]
    np.testing.assert_array_equal(figure.axes[1].images[0].get_array(), bars.train.images[3])


def test_an_index_past_the_end_is_refused(bars: Mnist) -> None:
    with pytest.raises(DataError, match=r"no image 500.*0 to 499"):
        show_sample(bars.train, [10, 500])


def test_curves_show_the_error_in_per_cent() -> None:
    history = [
        {"iteration": 250, "loss": 0.5, "validation_accuracy": 0.9},
        {"iteration": 500, "loss": 0.25, "validation_accuracy": 0.98},
    ]
    loss, error = draw_curves(history).axes
    np.testing.assert_allclose(loss.lines[0].get_xydata(), [[250, 0.5], [500, 0.25]])
    np.testing.assert_allclose(error.lines[0].get_xydata(), [[250, 10], [500, 2]])


def test_curves_bear_a_network_without_error(tmp_path: Path) -> None:
    draw_curves([{"iteration": 250, "loss": 0.0, "validation_accuracy": 1.0}]).savefig(tmp_path / "curves.png")


def test_the_confusion_writes_every_count_but_nought() -> None:
    counts = np.diag(range(100, 110))
    counts[4, 9] = 7
    (axes,) = draw_confusion(counts.tolist()).axes
    written = {text.get_position(): text.get_text() for text in axes.texts}
    assert len(written) == 11
    assert written[9, 4] == "7"


def test_weights_are_drawn_a_digit_each(tmp_path: Path) -> None:
    weights = np.zeros((784, 10), np.float32)
    weights[2 * 28 + 5, 6] = 1
    figure = draw_weight_images(weights)
    assert titles(figure) == [str(digit) for digit in range(10)]
    assert figure.axes[6].images[0].get_array()[2, 5] == 1
    figure.savefig(tmp_path / "weights.png")
    assert (tmp_path / "weights.png").read_bytes().startswith(b"\x89PNG")
