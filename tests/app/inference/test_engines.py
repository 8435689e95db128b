import os
from pathlib import Path

import numpy as np
import pytest

from app.errors import BrokenArtefact
from app.inference.engines import BATCH_SIZES, LARGEST_BATCH, TOLERANCES, Engine, Images, OpenVINOEngine, load_engine
from app.model_repository.artefact import find_versions
from tests.conftest import MODELS
from training.data.mnist import load_mnist


def newest(models_dir: Path, name: str) -> Path:
    return models_dir / name / str(find_versions(models_dir / name)[0])


@pytest.fixture
def images() -> Images:
    return np.random.default_rng(0).integers(0, 256, (32, 28, 28), dtype=np.uint8)


@pytest.fixture
def convnet(models_dir: Path) -> Engine:
    return OpenVINOEngine(newest(models_dir, "convnet"))


@pytest.mark.parametrize("count", [1, 2, 3, 9, 31, 32])
def test_scores_have_a_row_for_each_image(convnet: Engine, images: Images, count: int) -> None:
    scores = convnet(images[:count])
    assert scores.probabilities.shape == scores.logits.shape == (count, 10)
    np.testing.assert_allclose(scores.probabilities.sum(axis=1), 1, atol=1e-5)


def test_an_image_has_the_same_scores_in_every_batch(convnet: Engine, images: Images) -> None:
    alone = convnet(images[:1])
    for size in BATCH_SIZES:
        together = convnet(images[:size])
        np.testing.assert_array_equal(together.probabilities[0], alone.probabilities[0])
        np.testing.assert_array_equal(together.logits[0], alone.logits[0])


def test_earlier_scores_are_not_overwritten(convnet: Engine, images: Images) -> None:
    first = convnet(images[:1])
    copied = first.logits.copy()
    convnet(images[1:2])
    np.testing.assert_array_equal(first.logits, copied)


def test_no_process_pins_its_thread_to_a_core() -> None:
    engine = OpenVINOEngine(newest(MODELS, "convnet"))
    for graph in engine._graphs.values():
        assert graph._request.get_compiled_model().get_property("ENABLE_CPU_PINNING") is False


@pytest.mark.parametrize(("name", "sizes"), [("convnet", BATCH_SIZES), ("softmax", (1, LARGEST_BATCH))])
def test_graphs_of_the_sizes_between_are_compiled_only_if_padding_would_take_longer(
    name: str, sizes: tuple[int, ...]
) -> None:
    engine = OpenVINOEngine(newest(MODELS, name))
    assert tuple(engine._graphs) == sizes


def test_a_folder_without_a_model_raises_broken_artefact(tmp_path: Path) -> None:
    with pytest.raises(BrokenArtefact, match="cannot be loaded by openvino"):
        load_engine("openvino", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["softmax", "convnet"])
def test_bfloat16_changes_a_digit_only_if_two_are_almost_equally_probable(name: str) -> None:
    directory, folder = newest(MODELS, name), os.environ.get("MNIST_DIR")
    images = load_mnist(Path(folder) if folder else None).test.images
    try:
        engines = [load_engine(kind, directory) for kind in ("openvino", "openvino-bf16")]
    except BrokenArtefact as error:
        pytest.skip(str(error))
    starts = range(0, len(images), LARGEST_BATCH)
    exact, rounded = (
        np.concatenate([engine(images[start : start + LARGEST_BATCH]).probabilities for start in starts])
        for engine in engines
    )
    np.testing.assert_allclose(rounded, exact, atol=TOLERANCES["openvino-bf16"])
    second, first = np.sort(exact, axis=1)[:, -2:].T
    clear = first - second > 2 * TOLERANCES["openvino-bf16"]
    assert clear.mean() > 0.98
    np.testing.assert_array_equal(rounded[clear].argmax(axis=1), exact[clear].argmax(axis=1))


def test_bfloat16_on_a_processor_without_it_is_refused_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.inference.saved_models.ov.Core.get_property", lambda *_: ["FP32"])
    with pytest.raises(BrokenArtefact, match=r"does not compute in bfloat16\. Set ENGINE=openvino\."):
        load_engine("openvino-bf16", newest(MODELS, "softmax"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["softmax", "convnet"])
def test_both_engines_agree(models_dir: Path, images: Images, name: str) -> None:
    directory = newest(models_dir, name)
    openvino, tensorflow = (load_engine(kind, directory)(images) for kind in ("openvino", "tensorflow"))
    np.testing.assert_allclose(openvino.logits, tensorflow.logits, atol=1e-4)
    np.testing.assert_allclose(openvino.probabilities, tensorflow.probabilities, atol=1e-5)
