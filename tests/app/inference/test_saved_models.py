import sys
from pathlib import Path

import numpy as np
import pytest

from app.errors import BrokenArtefact
from app.inference.saved_models import OpenVINOModel, TensorFlowSignature, loading
from tests.app.tiny_finder import SAVED_MODEL, Darkness, draw_pages, save


def test_a_model_reads_the_array_that_it_was_compiled_for() -> None:
    pages = np.zeros((2, 192, 192, 3), np.uint8)
    request = OpenVINOModel(SAVED_MODEL, "f32").compile(pages)
    pages[:] = draw_pages(2)
    request.infer()
    np.testing.assert_allclose(request.get_tensor("ink").data, Darkness()(pages).ink, atol=1e-6)


def test_no_process_pins_its_thread_to_a_core() -> None:
    request = OpenVINOModel(SAVED_MODEL, "f32").compile(np.zeros((1, 192, 192, 3), np.uint8))
    assert request.get_compiled_model().get_property("ENABLE_CPU_PINNING") is False


def test_bfloat16_on_a_processor_without_it_is_refused_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.inference.saved_models.ov.Core.get_property", lambda *_: ["FP32"])
    with pytest.raises(ValueError, match=r"does not compute in bfloat16\. Set ENGINE=openvino\."):
        OpenVINOModel(SAVED_MODEL, "bf16")


def test_what_openvino_raises_becomes_broken_artefact(tmp_path: Path) -> None:
    with pytest.raises(BrokenArtefact, match="cannot be loaded by openvino"), loading("openvino", tmp_path):
        OpenVINOModel(tmp_path, "f32")


def test_the_telemetry_of_openvino_is_not_imported() -> None:
    assert "openvino_telemetry" not in sys.modules
    assert sys.modules["openvino.tools.ovc"] is None


@pytest.mark.slow
def test_the_tiny_finder_that_tests_load_can_be_made_again(tmp_path: Path) -> None:
    save(tmp_path / "finder")
    pages = draw_pages(3)
    again, kept = (TensorFlowSignature(folder)(pictures=pages) for folder in (tmp_path / "finder", SAVED_MODEL))
    assert again.keys() == kept.keys()
    for name, array in again.items():
        np.testing.assert_array_equal(array, kept[name])
