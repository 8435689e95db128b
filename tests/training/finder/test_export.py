from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from app.inference.finder_engine import load_finder_engine
from training.finder import export
from training.finder.network import build_finder
from training.publishing.export import load

pytestmark = pytest.mark.slow

PICTURES = np.random.default_rng(0).integers(0, 256, (3, 192, 192, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def servable() -> export.ServableFinder:
    return export.ServableFinder(build_finder(seed=1).for_inference())


@pytest.fixture(scope="module")
def folder(servable: export.ServableFinder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export.publish(servable, {"name": "finder"}, tmp_path_factory.mktemp("models"))


def test_the_servable_includes_scaling_and_sigmoid(servable: export.ServableFinder) -> None:
    ink, cores = export.find_in_batches(servable.find, PICTURES)
    maps = tf.sigmoid(servable.network(tf.constant(PICTURES / 255, tf.float32))).numpy()
    np.testing.assert_allclose(ink, maps[..., 0], atol=1e-5)
    np.testing.assert_allclose(cores, maps[..., 1], atol=1e-5)
    assert ink.shape == cores.shape == (3, 96, 96)


def test_a_smaller_last_batch_is_computed_too(servable: export.ServableFinder, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _ = export.find_in_batches(servable.find, PICTURES)
    monkeypatch.setattr(export, "BATCH_SIZE", 2)
    np.testing.assert_allclose(export.find_in_batches(servable.find, PICTURES)[0], whole, atol=1e-5)


def test_a_published_finder_is_loaded(servable: export.ServableFinder, folder: Path) -> None:
    signature, card = load(folder)
    assert card["version"] == 1
    for loaded, expected in zip(
        export.find_in_batches(signature, PICTURES), export.find_in_batches(servable.find, PICTURES), strict=True
    ):
        np.testing.assert_array_equal(loaded, expected)


def test_a_published_finder_runs_without_tensorflow(servable: export.ServableFinder, folder: Path) -> None:
    maps = load_finder_engine("openvino", folder)(PICTURES[:1])
    ink, cores = export.find_in_batches(servable.find, PICTURES[:1])
    np.testing.assert_allclose(maps.ink, ink, atol=1e-4)
    np.testing.assert_allclose(maps.cores, cores, atol=1e-4)


def test_a_published_finder_is_small(folder: Path) -> None:
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 5_000_000
