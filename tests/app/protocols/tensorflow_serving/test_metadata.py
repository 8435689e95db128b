import json
from pathlib import Path
from typing import get_args

import pytest

from app.model_repository.versions import Version
from app.protocols.tensorflow_serving.metadata import describe_metadata, describe_status
from app.schemas import State
from tests.app.tiny_finder import SAVED_MODEL
from tests.conftest import newest


@pytest.mark.parametrize("state", get_args(State))
def test_every_state_has_a_name_in_the_api(state: State) -> None:
    version = Version(3, Path("models/convnet/3"), state, "because" if state == "failed" else None)
    [status] = describe_status([version])["model_version_status"]
    assert status["version"] == "3"
    assert (status["state"] == "AVAILABLE") is (state == "ready")
    assert (status["status"]["error_code"] == "OK") is (state != "failed")
    assert status["status"]["error_message"] == (version.reason or "")


@pytest.mark.slow
def test_the_status_is_a_valid_message_of_tensorflow_serving() -> None:
    from google.protobuf import json_format  # noqa: PLC0415 - with the next, which imports TensorFlow
    from tensorflow_serving.apis import get_model_status_pb2  # noqa: PLC0415 - the fast suite must not

    versions = [Version(number, Path("m"), state) for number, state in enumerate(get_args(State), 1)]
    message = json_format.Parse(json.dumps(describe_status(versions)), get_model_status_pb2.GetModelStatusResponse())
    assert [status.version for status in message.model_version_status] == [version.number for version in versions]


@pytest.mark.slow
@pytest.mark.parametrize(("model", "directory"), [("convnet", newest("convnet")), ("finder", SAVED_MODEL)])
def test_the_metadata_is_a_valid_message_and_equals_that_of_the_model(model: str, directory: Path) -> None:
    import tensorflow as tf  # noqa: PLC0415 - the fast suite must not
    from google.protobuf import json_format  # noqa: PLC0415
    from tensorflow_serving.apis import get_model_metadata_pb2, model_pb2  # noqa: PLC0415

    metadata = describe_metadata(model, 2)
    spec = json_format.ParseDict(metadata["model_spec"], model_pb2.ModelSpec())
    assert (spec.name, spec.version.value) == (model, 2)
    described = json_format.ParseDict(
        metadata["metadata"]["signature_def"], get_model_metadata_pb2.SignatureDefMap()
    ).signature_def
    published = tf.saved_model.load(directory).signatures
    assert set(described) == set(published)
    for name, signature in published.items():
        for found, tensors in (
            (described[name].inputs, signature.structured_input_signature[1]),
            (described[name].outputs, signature.structured_outputs),
        ):
            assert {key: (tensor.dtype, len(tensor.tensor_shape.dim)) for key, tensor in found.items()} == {
                key: (tensor.dtype.as_datatype_enum, tensor.shape.rank) for key, tensor in tensors.items()
            }


def test_the_finder_has_its_own_signature() -> None:
    (signature,) = describe_metadata("finder", 1)["metadata"]["signature_def"]["signature_def"].values()
    assert set(signature["inputs"]) == {"pictures"}
    assert set(signature["outputs"]) == {"ink", "cores"}
