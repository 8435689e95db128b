import shutil
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from app.model_repository.control import ModelControl
from app.model_repository.model_collector import ModelCollector
from app.model_repository.repository import ModelRepository
from app.observability.metrics import ServiceMetrics
from app.settings import Settings
from imaging import __version__
from tests.app.tiny_finder import publish_finder
from tests.conftest import keep_only, publish

pytestmark = pytest.mark.anyio


def samples(registry: CollectorRegistry, name: str) -> list[tuple[dict[str, str], float]]:
    return [
        (sample.labels, sample.value)
        for metric in registry.collect()
        for sample in metric.samples
        if sample.name == name and sample.value
    ]


async def test_the_metrics_show_the_current_build_and_versions(models_dir: Path, tmp_path: Path) -> None:
    keep_only(models_dir, "softmax")
    publish(models_dir, "softmax", 2)
    publish(models_dir, "softmax", 3)
    (models_dir / "softmax" / "3" / "saved_model.pb").write_bytes(b"")
    (tmp_path / "control").mkdir()
    settings = Settings(models_dir=models_dir, keep_versions=2)
    async with AsyncExitStack() as stack:
        repository = ModelRepository(settings, ServiceMetrics(), ModelControl(tmp_path / "control"))
        stack.push_async_callback(repository.close)
        registry = CollectorRegistry()
        registry.register(ModelCollector(repository.catalogue, engine="openvino"))
        assert samples(registry, "digitserve_model_info") == []

        await repository.refresh()
        ((build, _),) = samples(registry, "digitserve_build_info")
        assert (build["version"], build["engine"]) == (__version__, "openvino")
        versions = [(labels["version"], labels["default"]) for labels, _ in samples(registry, "digitserve_model_info")]
        assert versions == [("2", "true"), ("1", "false")]
        card = repository.catalogue.find("softmax").card
        accuracies = samples(registry, "digitserve_test_accuracy_ratio")
        assert accuracies[0] == ({"model": "softmax", "version": "2"}, card.test.accuracy)
        states = samples(registry, "digitserve_model_versions")
        assert [(labels["state"], value) for labels, value in states] == [("ready", 2), ("failed", 1)]

        shutil.rmtree(models_dir / "softmax" / "2")
        shutil.rmtree(models_dir / "softmax" / "3")
        await repository.refresh()
        versions = [(labels["version"], labels["default"]) for labels, _ in samples(registry, "digitserve_model_info")]
        assert versions == [("1", "true")]
        assert [labels["version"] for labels, _ in samples(registry, "digitserve_test_accuracy_ratio")] == ["1"]


async def test_a_finder_has_no_accuracy_and_no_preprocessing(tmp_path: Path) -> None:
    publish_finder(tmp_path / "models")
    (tmp_path / "control").mkdir()
    settings = Settings(models_dir=tmp_path / "models")
    async with ModelRepository(settings, ServiceMetrics(), ModelControl(tmp_path / "control")) as repository:
        await repository.refresh()
        registry = CollectorRegistry()
        registry.register(ModelCollector(repository.catalogue, engine="openvino"))
        ((info, _),) = samples(registry, "digitserve_model_info")
        assert (info["model"], info["version"], info["default"], info["preprocessing"]) == ("finder", "1", "true", "")
        assert samples(registry, "digitserve_test_accuracy_ratio") == []
