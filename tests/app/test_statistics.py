from app.artefact import read_card
from app.statistics import Statistics, Tally
from tests.conftest import MODELS


def test_versions_are_counted_apart() -> None:
    card = read_card(MODELS / "softmax" / "1")
    statistics = Statistics()
    statistics.succeeded(card, 10, 0.5)
    statistics.succeeded(card, 2, 0.25)
    statistics.failed(card, 1.0)
    tally = statistics.of("softmax", 1)
    assert (tally.requests, tally.images, tally.nanoseconds) == (2, 12, 750_000_000)
    assert (tally.failures, tally.failure_nanoseconds) == (1, 1_000_000_000)
    assert tally.last > 1_600_000_000_000
    assert statistics.of("softmax", 2) == Tally()
