"""Prometheus metrics of the build and of the versions in the catalogue. Each collection reads the current values."""

import platform
from collections import Counter
from collections.abc import Iterator
from typing import get_args

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from app.model_repository.card import Card
from app.model_repository.catalogue import ModelCatalogue
from app.schemas import State
from imaging import __version__


class ModelCollector(Collector):
    """Reads the catalogue whenever metrics are collected, so that removed versions have no series."""

    def __init__(self, catalogue: ModelCatalogue, *, engine: str) -> None:
        self._catalogue = catalogue
        self._engine = engine

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the metrics with their current values."""
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
        for name, versions in self._catalogue.models.items():
            counts = Counter(version.state for version in versions)
            for state in get_args(State):
                states.add_metric((name, state), counts[state])
        return states

    def _loaded(self) -> Iterator[GaugeMetricFamily]:
        info = GaugeMetricFamily(
            "digitserve_model_info",
            "The versions that are loaded; always 1. The default version is used for requests that name no version.",
            labels=("model", "version", "default", "architecture", "parameters", "preprocessing"),
        )
        accuracy = GaugeMetricFamily(
            "digitserve_test_accuracy_ratio",
            "Accuracy on the 10,000 MNIST test images, from the model card.",
            labels=("model", "version"),
        )
        default = {(loaded.card.name, loaded.card.version) for loaded in self._catalogue.default_versions()}
        for card in (version.card for version in self._catalogue.versions()):
            if card is None:
                continue
            name, version = card.name, str(card.version)
            is_default = str((card.name, card.version) in default).lower()
            preprocessing = str(card.preprocessing) if isinstance(card, Card) else ""  # a finder has none
            info.add_metric((name, version, is_default, card.architecture, str(card.parameters), preprocessing), 1)
            if isinstance(card, Card):
                accuracy.add_metric((name, version), card.test.accuracy)
        yield info
        yield accuracy
