import numpy as np
import pytest

from imaging import box_of, find_pieces, segment_digits
from tests.imaging.drawn_maps import by_place, cells, draw_maps, segment_of


def test_each_digit_has_the_ink_round_its_core() -> None:
    digits = [(5, 5, 8, 20), (20, 8, 12, 16), (60, 25, 10, 20)]
    segments = by_place(segment_digits(draw_maps(*digits)))
    assert [cells(segment) for segment in segments] == digits
    for segment in segments:
        assert segment.mask.all()
        assert segment.touching == frozenset()
        assert segment.confidence == pytest.approx(0.9)


def test_two_touching_digits_are_divided_between_their_cores() -> None:
    first, second = by_place(segment_digits(draw_maps((10, 10, 12, 24), (22, 10, 12, 24))))
    assert first.width == pytest.approx(12, abs=1)
    assert second.left == pytest.approx(22, abs=1)
    assert first.mask.sum() + second.mask.sum() == 2 * 12 * 24
    segments = segment_digits(draw_maps((10, 10, 12, 24), (22, 10, 12, 24), (60, 10, 12, 24)))
    touching = {segment.left: {segments[index].left for index in segment.touching} for segment in segments}
    assert touching == {first.left: {second.left}, second.left: {first.left}, 60: set()}


def test_a_loose_stroke_belongs_to_the_nearest_core() -> None:
    first, second = by_place(
        segment_digits(draw_maps((10, 15, 12, 24), (40, 15, 12, 24), strokes=((12, 10, 10, 3), (43, 42, 5, 3))))
    )
    assert cells(first) == (10, 10, 12, 29)
    assert cells(second) == (40, 15, 12, 30)


def test_a_piece_as_high_as_a_digit_is_one_if_there_is_a_trace_of_a_core() -> None:
    maps = draw_maps((10, 15, 12, 24), strokes=((28, 15, 4, 24), (50, 15, 4, 24), (36, 25, 10, 3)))
    maps.cores[25, 29] = 0.3
    first, second = by_place(segment_digits(maps))
    assert cells(first) == (10, 15, 12, 24)
    assert cells(second) == (28, 15, 4, 24)
    assert second.confidence == pytest.approx(0.3)


def test_the_core_of_another_digit_is_no_trace() -> None:
    maps = draw_maps((30, 20, 5, 16))
    maps.ink[10:46, 15] = maps.ink[10:46, 50] = maps.ink[10, 15:51] = maps.ink[45, 15:51] = 0.9  # a box round it
    assert cells(segment_of(maps)) == (30, 20, 5, 16)


def test_a_core_that_a_thin_stroke_divides_is_one() -> None:
    maps = draw_maps((10, 10, 20, 30))
    np.fill_diagonal(maps.cores[15:35, 15:25], 0.6)
    assert cells(segment_of(maps)) == (10, 10, 20, 30)


def test_the_pieces_of_ink_have_boxes_and_numbers() -> None:
    maps = draw_maps((5, 5, 8, 20), strokes=((40, 10, 3, 4), (60, 10, 1, 2)))
    pieces = find_pieces(maps)
    assert sorted(pieces.boxes.tolist()) == [[5, 5, 8, 20], [40, 10, 3, 4]]
    assert np.bincount(pieces.labels.ravel())[1:].tolist() == pieces.ink.tolist()


def test_the_end_of_a_stroke_near_the_next_core_stays_with_its_digit() -> None:
    first, second = by_place(segment_digits(draw_maps((10, 5, 10, 24), (32, 5, 10, 24), strokes=((20, 26, 9, 2),))))
    assert cells(first) == (10, 5, 19, 24)
    assert cells(second) == (32, 5, 10, 24)


def test_ink_far_from_all_cores_is_no_digit() -> None:
    assert cells(segment_of(draw_maps((5, 5, 8, 16), strokes=((60, 30, 20, 15),)))) == (5, 5, 8, 16)


def test_without_cores_or_ink_there_is_no_digit() -> None:
    assert segment_digits(draw_maps(strokes=((10, 10, 12, 24),))) == []
    maps = draw_maps((10, 10, 12, 24))
    assert segment_digits(maps._replace(ink=np.zeros_like(maps.ink))) == []
    assert segment_digits(maps._replace(cores=0.1 * maps.cores)) == []


def test_the_confidence_is_that_of_the_less_certain_map() -> None:
    maps = draw_maps((10, 10, 12, 24))
    assert segment_of(maps).confidence == pytest.approx(0.9)
    assert segment_of(maps._replace(ink=0.7 * maps.ink)).confidence == pytest.approx(0.665)


def test_a_box_is_in_pixels_of_the_picture() -> None:
    maps = draw_maps((5, 5, 8, 20), (20, 8, 12, 30))._replace(left=100.0, top=50.0)
    assert box_of([min(segment_digits(maps), key=cells)], maps) == (110, 60, 16, 40)
    assert box_of(segment_digits(maps), maps) == (110, 60, 54, 66)
