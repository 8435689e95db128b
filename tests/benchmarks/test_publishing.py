import pytest

from benchmarks.environments import ROOT
from benchmarks.publishing import measure


@pytest.mark.slow
def test_versions_published_under_load_fail_no_request() -> None:
    found = measure(ROOT / "models", publishes=6, interval=1.0, rate=50, quiet_seconds=2)
    assert found.failed == 0
    assert found.publishing.good.count > 250
    assert found.agreed_seconds < 5  # the bar is 2, on a machine that does nothing else
