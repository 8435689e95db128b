import json
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import pytest

from app.model_repository.signatures import read_signatures
from app.model_repository.versions import Loaded, LoadedFinder, LoadedVersion, Version
from app.protocols.tensorflow_serving.metadata import CLASSIFY, describe_metadata, describe_status
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


def load(name: str, directory: Path) -> Loaded:
    """Return a version with the signatures of its files, as the repository loads it."""
    card = SimpleNamespace(name=name, version=2)
    class_ = LoadedFinder if name == "finder" else LoadedVersion
    return class_(card, None, read_signatures(directory))  # type: ignore[arg-type]  # not used


MODELS = [("convnet", newest("convnet")), ("finder", SAVED_MODEL)]


@pytest.mark.slow
@pytest.mark.parametrize(("model", "directory"), MODELS)
def test_the_metadata_is_a_valid_message_and_equals_that_of_the_model(model: str, directory: Path) -> None:
    from google.protobuf import json_format  # noqa: PLC0415 - with the next, which import TensorFlow
    from tensorflow.core.protobuf import saved_model_pb2  # noqa: PLC0415 - the fast suite must not
    from tensorflow_serving.apis import get_model_metadata_pb2, model_pb2  # noqa: PLC0415

    metadata = describe_metadata(load(model, directory))
    spec = json_format.ParseDict(metadata["model_spec"], model_pb2.ModelSpec())
    assert (spec.name, spec.version.value) == (model, 2)
    described = json_format.ParseDict(
        metadata["metadata"]["signature_def"], get_model_metadata_pb2.SignatureDefMap()
    ).signature_def
    published = saved_model_pb2.SavedModel.FromString((directory / "saved_model.pb").read_bytes())
    found = {name: signature for name, signature in described.items() if name != CLASSIFY}
    assert found == dict(published.meta_graphs[0].signature_def)


def test_the_metadata_has_the_signatures_and_the_names_of_the_graph() -> None:
    metadata = describe_metadata(load(*MODELS[0]))
    signatures = metadata["metadata"]["signature_def"]["signature_def"]
    assert set(signatures) == {"__saved_model_init_op", "classify_images", "predict_images", "serving_default"}
    default = signatures["serving_default"]
    assert default["inputs"]["images"] == {
        "dtype": "DT_UINT8",
        "tensor_shape": {"dim": [{"size": str(size), "name": ""} for size in (-1, 28, 28)], "unknown_rank": False},
        "name": "serving_default_images:0",
    }
    assert set(default["outputs"]) == {"logits", "probabilities"}
    assert (default["method_name"], default["defaults"]) == ("tensorflow/serving/predict", {})
    assert signatures["classify_images"]["method_name"] == "tensorflow/serving/classify"


def test_the_finder_has_its_own_signature() -> None:
    signatures = describe_metadata(load(*MODELS[1]))["metadata"]["signature_def"]["signature_def"]
    assert set(signatures) == {"__saved_model_init_op", "serving_default"}
    assert set(signatures["serving_default"]["inputs"]) == {"pictures"}
    assert set(signatures["serving_default"]["outputs"]) == {"ink", "cores"}
