from pathlib import Path

import pytest

from app.errors import BrokenArtefact
from app.model_repository.signatures import Signature, TensorInfo, read_signatures
from tests.app.tiny_finder import SAVED_MODEL
from tests.conftest import newest


def test_the_signatures_of_a_saved_model_are_read() -> None:
    signatures = read_signatures(newest("softmax"))
    assert list(signatures) == sorted(signatures)
    flat = Signature(
        {"images": TensorInfo("predict_images_images:0", "DT_FLOAT", (-1, 784))},
        {"scores": TensorInfo("StatefulPartitionedCall:0", "DT_FLOAT", (-1, 10))},
        "tensorflow/serving/predict",
    )
    assert signatures["predict_images"] == flat
    default = signatures["serving_default"]
    assert default.inputs == {"images": TensorInfo("serving_default_images:0", "DT_UINT8", (-1, 28, 28))}
    assert {name: (tensor.dtype, tensor.shape) for name, tensor in default.outputs.items()} == {
        "logits": ("DT_FLOAT", (-1, 10)),
        "probabilities": ("DT_FLOAT", (-1, 10)),
    }


def test_a_tensor_may_have_an_unknown_rank() -> None:
    assert read_signatures(SAVED_MODEL)["__saved_model_init_op"] == Signature(
        {}, {"__saved_model_init_op": TensorInfo("NoOp", "DT_INVALID", None)}, ""
    )


@pytest.mark.parametrize(
    "data",
    [b"", b"\x12", b"\x12\x05abc", b"\x13", b"\x10\x07", b"\xff" * 20, b"text", bytes(100), b"\x12\x03\x2a\x01\xff"],
)
def test_another_file_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "saved_model.pb").write_bytes(data)
    with pytest.raises(BrokenArtefact, match=r"The signatures in .*saved_model\.pb cannot be read: .*Publish"):
        read_signatures(tmp_path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BrokenArtefact, match="No such file"):
        read_signatures(tmp_path)


def test_a_truncated_file_is_read_or_refused(tmp_path: Path) -> None:
    data = (SAVED_MODEL / "saved_model.pb").read_bytes()
    for length in range(0, len(data), 97):
        (tmp_path / "saved_model.pb").write_bytes(data[:length])
        with pytest.raises(BrokenArtefact):
            read_signatures(tmp_path)
