from collections.abc import Callable

import numpy as np
import pytest

from training.data.pages import marks
from training.data.pages.canvas import Box, Canvas, Coverage

MIDDLE = Box(60, 50, 40, 60)
BLACK = np.zeros(3, np.float32)

Draw = Callable[[Canvas, Box, np.random.Generator], None]
MARKS: dict[str, Draw] = {
    "rule_paper": marks.rule_paper,
    "draw_boxes": marks.draw_boxes,
    "draw_stain": marks.draw_stain,
    "draw_finger": marks.draw_finger,
    "draw_holes": lambda canvas, _, rng: marks.draw_holes(canvas, rng),
    "draw_ring": lambda canvas, box, rng: marks.draw_ring(canvas, box, rng, BLACK),
    "draw_underline": lambda canvas, box, rng: marks.draw_underline(canvas, box, rng, BLACK),
    "write_caption": lambda canvas, box, rng: marks.write_caption(canvas, box, rng, BLACK),
    "write_letters": lambda canvas, box, rng: marks.write_letters(canvas, box, rng, BLACK),
    "scribble": lambda canvas, box, rng: marks.scribble(canvas, box, rng, BLACK),
    "draw_lines": lambda canvas, _, rng: marks.draw_lines(canvas, rng, BLACK),
}


@pytest.mark.parametrize("name", MARKS)
def test_a_mark_is_seen_on_the_page_and_is_no_digit(name: str) -> None:
    seen = 0
    for seed in range(4):
        canvas, again = Canvas(150, 192), Canvas(150, 192)
        MARKS[name](canvas, MIDDLE, np.random.default_rng(seed))
        MARKS[name](again, MIDDLE, np.random.default_rng(seed))
        seen += bool((canvas.pixels < 250).any())
        assert np.isfinite(canvas.pixels).all()
        assert not canvas.ink.any()
        assert not canvas.cores.any()
        assert canvas.digits == 0
        np.testing.assert_array_equal(again.pixels, canvas.pixels)
    assert seen >= 2  # some lie outside of the page, or are light


@pytest.mark.parametrize("name", MARKS)
@pytest.mark.parametrize("box", [Box(-30, -20, 40, 60), Box(180, 140, 40, 60), Box(10, 10, 3, 8)])
def test_a_mark_near_the_border_or_beside_tiny_writing_raises_no_error(name: str, box: Box) -> None:
    MARKS[name](Canvas(150, 192), box, np.random.default_rng(1))


def test_a_ring_lies_round_the_box() -> None:
    for seed in range(4):
        canvas = Canvas(200, 200)
        marks.draw_ring(canvas, Box(80, 70, 40, 60), np.random.default_rng(seed), BLACK)
        dark = canvas.pixels.mean(axis=2) < 128
        assert not dark[90:110, 90:110].any()
        assert dark[100, :90].any()
        assert dark[100, 110:].any()
        assert dark[:90, 100].any()
        assert dark[110:, 100].any()


def test_printed_text_grows_with_its_length_and_size() -> None:
    def size_of(text: str, size: int) -> tuple[int, ...]:
        return marks.print_text(text, size, np.random.default_rng(0)).shape

    assert size_of("128", 12)[1] > 1.5 * size_of("1", 12)[1]
    assert size_of("128", 24)[0] > 1.5 * size_of("128", 12)[0]
    assert marks.print_text("8", 20, np.random.default_rng(0)).max() > 0.9


@pytest.mark.parametrize(("draw", "highest"), [(marks.draw_symbol, 75), (marks.draw_sign, 130)])
def test_symbols_and_signs_have_many_shapes_about_as_high_as_asked(
    draw: Callable[[float, float, np.random.Generator], Coverage], highest: int
) -> None:
    shapes = {draw(50, 4, np.random.default_rng(seed)).shape for seed in range(16)}
    assert len(shapes) > 6
    assert max(height for height, _ in shapes) < highest
