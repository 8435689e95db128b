from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from training.data.mnist import Mnist
from training.errors import DataError
from training.evaluation.figures import (
    draw_confusion,
    draw_curves,
    draw_feature_maps,
    draw_images,
    draw_predictions,
    draw_scores,
    draw_weight_images,
)


def titles(figure: Figure) -> list[str]:
    return [axes.get_title() for axes in figure.axes]


def test_images_are_drawn_with_their_labels(bars: Mnist) -> None:
    figure = draw_images(bars.train, [10, 3])
    assert titles(figure) == [f"{bars.train.labels[10]}   (#10)", f"{bars.train.labels[3]}   (#3)"]
    np.testing.assert_array_equal(figure.axes[1].images[0].get_array(), bars.train.images[3])


def test_an_index_out_of_range_raises_an_error(bars: Mnist) -> None:
    with pytest.raises(DataError, match=r"no image 500.*0 to 499"):
        draw_images(bars.train, [10, 500])


def test_curves_show_the_error_in_per_cent() -> None:
    history = [
        {"iteration": 250, "loss": 0.5, "validation_accuracy": 0.9},
        {"iteration": 500, "loss": 0.25, "validation_accuracy": 0.98},
    ]
    loss, error = draw_curves(history).axes
    np.testing.assert_allclose(loss.lines[0].get_xydata(), [[250, 0.5], [500, 0.25]])
    np.testing.assert_allclose(error.lines[0].get_xydata(), [[250, 10], [500, 2]])


def test_the_loss_of_a_short_last_window_is_left_out() -> None:
    history = [
        {"iteration": iteration, "loss": loss, "validation_accuracy": 0.9}
        for iteration, loss in [(250, 0.5), (500, 0.25), (501, 0.9)]
    ]
    loss, error = draw_curves(history).axes
    np.testing.assert_allclose(loss.lines[0].get_xydata(), [[250, 0.5], [500, 0.25]])
    assert len(error.lines[0].get_xydata()) == 3
    assert (loss.get_xlim()[0], loss.get_ylim()[0], error.get_ylim()[0]) == (0, 0, 0)


def test_curves_of_a_perfect_network_are_drawn(tmp_path: Path) -> None:
    draw_curves([{"iteration": 250, "loss": 0.0, "validation_accuracy": 1.0}]).savefig(tmp_path / "curves.png")


def test_the_confusion_figure_shows_every_count_except_zero() -> None:
    counts = np.diag(range(100, 110))
    counts[4, 9] = 7
    (axes,) = draw_confusion(counts.tolist()).axes
    written = {text.get_position(): text.get_text() for text in axes.texts}
    assert len(written) == 11
    assert written[9, 4] == "7"


def test_weights_are_drawn_for_each_digit(tmp_path: Path) -> None:
    weights = np.zeros((784, 10), np.float32)
    weights[2 * 28 + 5, 6] = 1
    figure = draw_weight_images(weights)
    assert titles(figure) == [str(digit) for digit in range(10)]
    assert figure.axes[6].images[0].get_array()[2, 5] == 1
    figure.savefig(tmp_path / "weights.png")
    assert (tmp_path / "weights.png").read_bytes().startswith(b"\x89PNG")


def test_logits_are_drawn_beside_their_probabilities() -> None:
    logits = np.log(np.arange(1, 11, dtype=np.float32))
    scores, shares = draw_scores(logits).axes
    np.testing.assert_allclose([bar.get_height() for bar in scores.patches], logits)
    np.testing.assert_allclose([bar.get_height() for bar in shares.patches], np.arange(1, 11) / 55, rtol=1e-6)


def test_wrong_predictions_have_a_red_title(bars: Mnist) -> None:
    probabilities = np.full((len(bars.test), 10), 0.05, np.float32)
    probabilities[np.arange(len(bars.test)), bars.test.labels] = 0.55
    probabilities[3] = np.roll(probabilities[3], 1)
    label = int(bars.test.labels[3])
    figure = draw_predictions(bars.test, probabilities, [3, *range(4, 12)])
    assert titles(figure)[0] == f"label {label}\npredicted {(label + 1) % 10}, 55%"
    assert [axes.title.get_color() for axes in figure.axes[:9]] == ["tab:red"] + ["black"] * 8
    assert titles(figure)[9:] == [""] * 7  # the unused axes of the last row
    np.testing.assert_array_equal(figure.axes[1].images[0].get_array(), bars.test.images[4])


def test_feature_maps_are_grey_at_zero(tmp_path: Path) -> None:
    figure = draw_feature_maps({"edges": np.array([[-1, 2]], np.float32), "nothing": np.zeros((1, 2), np.float32)})
    assert titles(figure) == ["edges", "nothing"]
    assert figure.axes[0].images[0].get_clim() == (-2, 2)
    figure.savefig(tmp_path / "maps.png")
