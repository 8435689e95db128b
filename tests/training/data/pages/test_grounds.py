import numpy as np
import pytest

from training.data.pages import grounds
from training.data.pages.canvas import Canvas

GROUNDS = [
    grounds.draw_ground,
    grounds.draw_plain,
    grounds.draw_paper,
    grounds.draw_crumpled_paper,
    grounds.draw_desk,
    grounds.draw_sheet_on_desk,
    grounds.draw_note,
    grounds.draw_whiteboard,
    grounds.draw_blackboard,
    grounds.draw_panel,
]


@pytest.mark.parametrize("draw", GROUNDS, ids=lambda draw: draw.__name__)
@pytest.mark.parametrize("size", [(192, 192), (60, 192), (192, 60)])
def test_a_ground_fills_the_page_and_returns_a_box_on_it_for_the_writing(draw: object, size: tuple[int, int]) -> None:
    for seed in range(2):
        canvas, again = Canvas(*size), Canvas(*size)
        box = draw(canvas, np.random.default_rng(seed))  # type: ignore[operator]
        assert canvas.pixels.shape == (*size, 3)
        assert np.isfinite(canvas.pixels).all()
        assert box.left >= 0
        assert box.top >= 0
        assert box.left + box.width <= size[1] + 1
        assert box.top + box.height <= size[0] + 1
        assert min(box.width, box.height) > 15
        assert not canvas.ink.any()
        assert not canvas.cores.any()
        assert draw(again, np.random.default_rng(seed)) == box  # type: ignore[operator]
        np.testing.assert_array_equal(again.pixels, canvas.pixels)


def test_the_kinds_of_grounds_differ_in_light() -> None:
    means = {}
    for draw in (grounds.draw_paper, grounds.draw_whiteboard, grounds.draw_blackboard):
        canvas = Canvas(60, 60)
        draw(canvas, np.random.default_rng(0))
        means[draw] = canvas.pixels.mean()
    assert means[grounds.draw_blackboard] < 110 < min(means[grounds.draw_paper], means[grounds.draw_whiteboard])


def test_a_panel_differs_from_what_surrounds_it() -> None:
    differences = []
    for seed in range(8):
        canvas = Canvas(100, 100)
        box = grounds.draw_panel(canvas, np.random.default_rng(seed))
        middle = canvas.pixels[int(box.top + box.height / 2), int(box.left + box.width / 2)]
        differences.append(np.abs(middle - canvas.pixels[-1, 0]).max())
    assert np.median(differences) > 60


def test_surroundings_change_the_margin_and_not_the_middle() -> None:
    changed = np.zeros((100, 100))
    for seed in range(30):
        canvas = Canvas(100, 100)
        canvas.pixels[:] = 120
        grounds.draw_surroundings(canvas, np.random.default_rng(seed))
        changed += np.abs(canvas.pixels - 120).max(axis=2) > 5
    assert changed[[0, -1]].mean() > 5
    assert not changed[45:55, 45:55].any()


def test_glare_only_lightens() -> None:
    canvas = Canvas(100, 100)
    canvas.pixels[:] = 120
    grounds.draw_glare(canvas, np.random.default_rng(0))
    assert canvas.pixels.min() >= 120 - 1e-3
    assert canvas.pixels.max() > 150
