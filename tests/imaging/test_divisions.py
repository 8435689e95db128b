import numpy as np

from imaging import Segment, cut_into_spans, keep_surest, merge, segment_digits, take_out_of_ring
from tests.imaging.drawn_maps import by_place, cells, draw_maps, segment_of


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
    spans = cut_into_spans(Segment(mask, 10, 5, 0.8, frozenset()), slant=0.0)
    last = max(span.end for span in spans)
    parts = {(span.start, span.end): span.segment for span in spans}
    cuts = {segment.left + segment.width - 10 for (start, _), segment in parts.items() if start == 0}
    assert cuts & {17, 18, 19, 20}
    for (start, end), segment in parts.items():
        assert segment.width <= 1.1 * 20 + 1
        assert end == last or any(other[0] == end for other in parts)
        assert start == 0 or any(other[1] == start for other in parts)


def test_a_slanted_cut_divides_slanted_strokes() -> None:
    mask = np.zeros((20, 30), np.bool_)
    for row in range(20):  # two strokes that lean to the right, joined in the middle
        left = 8 - row * 2 // 5
        mask[row, left : left + 4] = mask[row, left + 16 : left + 20] = True
    mask[10, 4:20] = True
    upright, slanted = (cut_into_spans(Segment(mask, 0, 0, 0.8, frozenset()), slant) for slant in (0.0, 0.4))
    first = [span.segment for span in slanted if span.start == 0]
    assert any(60 <= segment.mask.sum() <= 100 and segment.height == 20 for segment in first)
    assert len(upright) > 1


def test_a_narrow_segment_has_no_parts() -> None:
    line = Segment(np.ones((20, 1), np.bool_), 10, 5, 0.8, frozenset())
    assert cut_into_spans(line, 0.0) == []
