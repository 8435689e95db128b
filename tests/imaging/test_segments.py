"""Digits in drawn maps: rectangles of ink, each with a core in its middle."""

import numpy as np
import pytest

from imaging import DigitMaps, Segment, box_of, find_pieces, halve, keep_surest, merge, segment_digits, take_out_of_ring

Cells = tuple[int, int, int, int]
"""Left, top, width and height."""


def draw_maps(*digits: Cells, strokes: tuple[Cells, ...] = ()) -> DigitMaps:
    """Draw digits with cores, and strokes without."""
    ink, cores = np.zeros((50, 90), np.float32), np.zeros((50, 90), np.float32)
    for left, top, width, height in (*digits, *strokes):
        ink[top : top + height, left : left + width] = 0.95
    for left, top, width, height in digits:
        rows = slice(top + height // 4, top + height - height // 4)
        cores[rows, left + width // 4 : left + width - width // 4] = 0.9
    return DigitMaps(ink, cores, scale=0.5)


def cells(segment: Segment) -> Cells:
    return segment.left, segment.top, segment.width, segment.height


def by_place(segments: list[Segment]) -> list[Segment]:
    return sorted(segments, key=cells)


def segment_of(maps: DigitMaps) -> Segment:
    """Return the only segment in the maps."""
    (segment,) = segment_digits(maps)
    return segment


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
    np.fill_diagonal(maps.cores[17:33, 14:26], 0.2)
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


def ring(inner: tuple[slice, slice]) -> Segment:
    """Return a segment of a ring and the ink inside it, 30x30 cells."""
    mask = np.ones((30, 30), np.bool_)
    mask[3:27, 3:27] = False
    mask[inner] = True
    return Segment(mask, 40, 10, 0.8, frozenset({3}))


def test_a_digit_is_taken_out_of_a_ring() -> None:
    inner = take_out_of_ring(ring(np.s_[8:22, 12:17]))
    assert inner
    assert cells(inner) == (52, 18, 5, 14)
    assert inner.mask.all()
    assert inner.touching == frozenset()


def test_a_ring_without_a_digit_in_it_and_a_digit_without_a_ring_stay_as_they_are() -> None:
    assert take_out_of_ring(ring(np.s_[14:16, 14:16])) is None  # a speck
    assert take_out_of_ring(ring(np.s_[2:20, 12:17])) is None  # joined to the ring
    assert take_out_of_ring(segment_of(draw_maps((10, 15, 12, 24), strokes=((12, 8, 10, 3),)))) is None


def test_the_less_likely_ink_can_be_left_out() -> None:
    maps = draw_maps((10, 5, 10, 24), strokes=((20, 20, 12, 8),))
    maps.ink[20:28, 20:32] = 0.6
    surest = keep_surest(segment_of(maps), maps)
    assert surest
    assert cells(surest) == (10, 5, 10, 24)
    certain = draw_maps((10, 5, 10, 24))
    assert keep_surest(segment_of(certain), certain) is None


def test_merged_segments_have_the_ink_of_both() -> None:
    first, second = by_place(segment_digits(draw_maps((5, 5, 8, 20), (15, 10, 10, 24))))
    merged = merge([first, second._replace(confidence=0.4)])
    assert cells(merged) == (5, 5, 20, 29)
    assert merged.mask.sum() == 8 * 20 + 10 * 24
    assert (merged.confidence, merged.touching) == (0.4, frozenset())


def test_a_segment_is_cut_where_it_has_the_least_ink() -> None:
    mask = np.ones((20, 40), np.bool_)
    mask[3:, 17:20] = False  # a bridge at the top
    first, second = halve(Segment(mask, 10, 5, 0.8, frozenset()))
    assert first.width in {17, 18, 19}
    assert cells(second) == (10 + first.width, 5, 40 - first.width, 20)
    assert first.mask.sum() + second.mask.sum() == mask.sum()


def test_a_segment_of_one_column_is_not_cut() -> None:
    line = Segment(np.ones((20, 1), np.bool_), 10, 5, 0.8, frozenset())
    assert halve(line) == [line]
