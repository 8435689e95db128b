from collections.abc import Sequence

import numpy as np

from app.inference.scores import Classification
from app.model_repository.card import Abstention
from app.prediction.digit_choice import Choice, choose_digits, doubtful_clusters
from app.prediction.digit_finder import FoundDigit

THRESHOLDS = Abstention(confidence=0.5, energy=-5)


def candidate(cluster: int, division: int, left: float = 0, width: float = 20) -> FoundDigit:
    """Make a candidate 30 pixels high. The clusters lie below each other."""
    return FoundDigit(np.ones((28, 28), np.uint8), (left, 100 * cluster, width, 30), 0.9, cluster, division, 0.0)


def classified(energy: float) -> Classification:
    return Classification(3, 0.9, [0.1] * 10, energy)


def choose(
    candidates: Sequence[FoundDigit], classifications: Sequence[Classification], thresholds: Abstention = THRESHOLDS
) -> list[Choice]:
    return choose_digits(list(zip(candidates, classifications, strict=True)), thresholds)


def test_of_each_cluster_the_division_is_chosen_whose_parts_are_all_digits() -> None:
    second = candidate(0, 1, left=20)._replace(start=1, end=2)
    ways = [candidate(0, 0, width=40), candidate(0, 1), second]
    candidates = [*ways, *(each._replace(cluster=1, box=(each.box[0], 100, *each.box[2:])) for each in ways)]
    classifications = [classified(energy) for energy in (-8, -12, -10, -9, -20, -6)]
    chosen = choose(candidates, classifications)
    assert [(digit.cluster, digit.division, result.energy) for digit, result in chosen] == [
        (0, 1, -12),
        (0, 1, -10),
        (1, 0, -9),
    ]


def test_what_is_no_digit_is_left_out() -> None:
    candidates = [candidate(0, 0), candidate(1, 0)]
    (chosen,) = choose(candidates, [classified(-4), classified(-6)])
    assert chosen[0].cluster == 1
    everything = Abstention(confidence=0.5, energy=None)
    assert len(choose(candidates, [classified(-4), classified(-6)], everything)) == 2


def test_nothing_is_chosen_of_nothing() -> None:
    assert choose([], []) == []


def test_the_cost_of_a_division_is_added_to_its_energy() -> None:
    for cost, division in ((0.0, 1), (1.5, 1), (2.5, 0)):
        candidates = [candidate(0, 0), candidate(0, 1)._replace(cost=cost)]
        (chosen,) = choose(candidates, [classified(-8), classified(-10)])
        assert chosen[0].division == division


def test_of_two_digits_at_one_place_the_more_certain_is_kept() -> None:
    whole, part = candidate(0, 0, width=40), candidate(1, 0, left=5, width=20)
    part = part._replace(box=(5, 5, 20, 20))
    beside = candidate(2, 0, left=35)._replace(box=(35, 0, 20, 30))  # a quarter of it lies in `whole`
    for energies, kept in (((-9, -7, -8), [0, 2]), ((-7, -9, -8), [1, 2])):
        chosen = choose([whole, part, beside], [classified(energy) for energy in energies])
        assert [digit.cluster for digit, _ in chosen] == kept


def test_a_one_that_is_higher_than_the_other_digits_is_left_out_unless_the_finder_is_sure() -> None:
    digits = [candidate(number, 0) for number in range(4)]
    tall = [digit._replace(box=(50 * digit.cluster, 0, 10, 45)) for digit in digits]
    one, three = classified(-9)._replace(digit=1), classified(-9)

    def clusters(found: list[FoundDigit], results: list[Classification]) -> list[int]:
        return [digit.cluster for digit, _ in choose(found, results)]

    unsure = tall[3]._replace(confidence=0.5)
    assert clusters([*digits[:3], unsure], [three, one, three, one]) == [0, 1, 2]
    assert clusters([*digits[:3], unsure], [three, one, three, three]) == [0, 1, 2, 3]
    assert clusters([*digits[:3], tall[3]], [three, one, three, one]) == [0, 1, 2, 3]
    assert clusters([digits[0], unsure], [three, one]) == [0, 3]  # with two digits there is no usual height


def test_of_the_chains_of_one_division_the_one_whose_worst_part_is_best_is_chosen() -> None:
    def span(start: int, end: int) -> FoundDigit:
        return candidate(0, 0, left=10 * start, width=10 * (end - start))._replace(start=start, end=end)

    spans = [span(0, 1), span(0, 2), span(1, 3), span(2, 3), span(0, 3)]
    for energies, expected in (
        ((-7, -9, -12, -8, -6), [(0, 2), (2, 3)]),
        ((-9, -9, -12, -8, -6), [(0, 1), (1, 3)]),
        ((-7, -7, -12, -8, -9), [(0, 3)]),
    ):
        chosen = choose(spans, [classified(energy) for energy in energies])
        assert [(digit.start, digit.end) for digit, _ in chosen] == expected
    without_ink = span(0, 3)._replace(image=np.zeros((28, 28), np.uint8))
    assert choose([without_ink], [classified(-9)]) == []


def test_the_parts_of_cut_ink_have_to_be_clear_digits() -> None:
    other = candidate(0, 1)._replace(margin=0.6)
    assert choose([candidate(0, 0), other], [classified(-2), classified(-5.5)]) == []
    assert len(choose([candidate(0, 0), other], [classified(-2), classified(-5.7)])) == 1


def test_a_cluster_without_clear_digits_is_doubtful() -> None:
    candidates = [(candidate(number, 0), classified(energy)) for number, energy in enumerate((-9, -5.5, -4, -9))]
    assert doubtful_clusters(candidates, THRESHOLDS) == [1, 2]
    assert doubtful_clusters(candidates, Abstention(confidence=0.5, energy=None)) == [0, 1, 2, 3]
