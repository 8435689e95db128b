"""What is running, for Prometheus: this build, and the versions of the models that it has. Counts nothing."""

import platform
from collections import Counter
from collections.abc import Iterator
from typing import get_args

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from app.model_repository.repository import ModelRepository
from app.schemas import State
from imaging import __version__


class VersionMetrics(Collector):
    """Reads the repository whenever the metrics are asked for, so that a version that has gone is gone."""

    def __init__(self, repository: ModelRepository, *, engine: str) -> None:
        self._repository = repository
        self._engine = engine

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Give the metrics as they are now."""
        yield self._build()
        yield self._states()
        yield from self._loaded()

    def _build(self) -> GaugeMetricFamily:
        build = GaugeMetricFamily(
            "digitserve_build_info", "What is running; always 1.", labels=("version", "python", "engine")
        )
        build.add_metric((__version__, platform.python_version(), self._engine), 1)
        return build

    def _states(self) -> GaugeMetricFamily:
        states = GaugeMetricFamily(
            "digitserve_model_versions", "Versions of a model, by state.", labels=("model", "state")
        )
        for name, versions in self._repository.models.items():
            counts = Counter(version.state for version in versions)
            for state in get_args(State):
                states.add_metric((name, state), counts[state])
        return states

    def _loaded(self) -> Iterator[GaugeMetricFamily]:
        info = GaugeMetricFamily(
            "digitserve_model_info",
            "The versions that are loaded; always 1. The default one answers when a request names none.",
            labels=("model", "version", "default", "architecture", "parameters", "preprocessing"),
        )
        accuracy = GaugeMetricFamily(
            "digitserve_test_accuracy_ratio",
            "Accuracy on the 10,000 MNIST test images, from the model card.",
            labels=("model", "version"),
        )
        default = {(served.card.name, served.card.version) for served in self._repository.served()}
        for card in (version.card for versions in self._repository.models.values() for version in versions):
            if card is None:
                continue
            name, version = card.name, str(card.version)
            is_default = str((card.name, card.version) in default).lower()
            details = (card.architecture, str(card.parameters), str(card.preprocessing))
            info.add_metric((name, version, is_default, *details), 1)
            accuracy.add_metric((name, version), card.test.accuracy)
        yield info
        yield accuracy
