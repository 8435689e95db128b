from pathlib import Path
from typing import get_args

import pytest

from app.model_repository.versions import ModelVersions, Version
from app.protocols.open_inference.metadata import describe_configuration, describe_index, describe_model
from app.schemas import State


def test_versions_are_strings_in_ascending_order() -> None:
    assert describe_model("convnet", [10, 9])["versions"] == ["9", "10"]


@pytest.mark.parametrize(("name", "max_batch_size", "batch_axis"), [("convnet", 8, [-1]), ("finder", 0, [])])
def test_the_configuration_has_the_tensors_of_the_metadata(
    name: str, max_batch_size: int, batch_axis: list[int]
) -> None:
    metadata = describe_model(name, [1])
    configuration = describe_configuration(name, engine="openvino", versions=[1], max_batch_size=8)
    assert configuration["max_batch_size"] == max_batch_size
    for tensors, configured in (("inputs", "input"), ("outputs", "output")):
        assert [(tensor["name"], tensor["shape"], f"TYPE_{tensor['datatype']}") for tensor in metadata[tensors]] == [
            (tensor["name"], batch_axis + tensor["dims"], tensor["data_type"]) for tensor in configuration[configured]
        ]
    assert all(("label_filename" in output) is (name == "convnet") for output in configuration["output"])


@pytest.mark.parametrize("state", get_args(State))
def test_every_state_has_a_name_in_the_protocol(state: State) -> None:
    version = Version(3, Path("models/convnet/3"), state, "because" if state == "failed" else None)
    models = ModelVersions(Path("models/convnet"), keep=1, pinned=None)
    models._versions = [version]
    [entry] = describe_index({"convnet": models}, only_ready=False)
    assert (entry["name"], entry["version"]) == ("convnet", "3")
    assert (entry["state"] == "READY") is (state == "ready")
    assert (entry["reason"] == "because") is (state == "failed")
    assert len(describe_index({"convnet": models}, only_ready=True)) == (state == "ready")


def test_an_unreadable_model_has_an_entry_without_a_version() -> None:
    models = ModelVersions(Path("models/convnet"), keep=1, pinned=None)
    models.reason = "cannot be read"
    [entry] = describe_index({"convnet": models}, only_ready=False)
    assert entry == {"name": "convnet", "version": "", "state": "UNAVAILABLE", "reason": "cannot be read"}
    assert describe_index({"convnet": models}, only_ready=True) == []


def test_the_finder_has_its_own_tensors() -> None:
    metadata = describe_model("finder", [1])
    assert metadata["inputs"] == [{"name": "pictures", "datatype": "UINT8", "shape": [-1, 192, 192, 3]}]
    assert [(output["name"], output["shape"]) for output in metadata["outputs"]] == [
        ("ink", [-1, 96, 96]),
        ("cores", [-1, 96, 96]),
    ]
