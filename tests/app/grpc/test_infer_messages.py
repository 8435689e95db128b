from typing import Any

import numpy as np
import pytest

from app.errors import MalformedRequest
from app.grpc.infer_messages import NUMBERS_IN_STEP, add_outputs, to_array, to_members
from app.grpc.stubs.inference_pb2 import ModelInferRequest, ModelInferResponse

pytestmark = pytest.mark.anyio

IMAGES = {"name": "images", "datatype": "UINT8", "shape": [1, 28, 28]}


async def members_of(**request: object) -> tuple[dict[str, Any], bytes]:
    members, rest = await to_members(ModelInferRequest(**request))
    return members, bytes(rest)


async def test_raw_contents_are_binary_data() -> None:
    members, rest = await members_of(inputs=[IMAGES], raw_input_contents=[b"abc"], id="42")
    assert rest == b"abc"
    assert members["id"] == "42"
    assert members["inputs"] == [{**IMAGES, "parameters": {"binary_data_size": 3}}]
    assert members["parameters"] == {"binary_data_output": True}


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("uint_contents", [0, 255, 300]),
        ("int_contents", [-1, 2]),
        ("int64_contents", [-1, 2]),
        ("uint64_contents", [2**63]),
        ("fp32_contents", [0.5, 1]),
        ("fp64_contents", [0.1]),
        ("bytes_contents", [b"a", b""]),
    ],
)
async def test_typed_contents_are_data(field: str, values: list[Any]) -> None:
    members, rest = await members_of(inputs=[{**IMAGES, "contents": {field: values}}])
    [tensor] = members["inputs"]
    assert list(tensor["data"]) == values
    assert "binary_data_size" not in tensor["parameters"]
    assert rest == b""


async def test_parameters_keep_their_types_and_outputs_are_binary() -> None:
    choices = {
        "a": {"bool_param": True},
        "b": {"int64_param": 3},
        "c": {"string_param": "x"},
        "d": {"double_param": 0.5},
    }
    outputs = [{"name": "logits", "parameters": {"classification": {"int64_param": 3}, "binary_data": {}}}]
    members, _ = await members_of(
        inputs=[{**IMAGES, "parameters": choices}],
        outputs=outputs,
        parameters={"triton_enable_empty_final_response": {"bool_param": True}, "priority": {"uint64_param": 1}},
    )
    assert members["inputs"][0]["parameters"] == {"a": True, "b": 3, "c": "x", "d": 0.5}
    assert members["parameters"] == {"priority": 1, "binary_data_output": True}
    assert members["outputs"] == [{"name": "logits", "parameters": {"classification": 3, "binary_data": True}}]


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"inputs": [IMAGES], "raw_input_contents": [b"", b""]}, "2 raw_input_contents and 1 inputs"),
        ({"raw_input_contents": [b""]}, "1 raw_input_contents and 0 inputs"),
        (
            {"inputs": [{**IMAGES, "contents": {"uint_contents": [1]}}], "raw_input_contents": [b""]},
            "has data in uint_contents, raw_input_contents. Send it in one of them.",
        ),
        (
            {"inputs": [{**IMAGES, "contents": {"uint_contents": [1], "fp32_contents": [1]}}]},
            "has data in uint_contents, fp32_contents.",
        ),
        ({"inputs": [{**IMAGES, "contents": {"bool_contents": [True]}}]}, "send 1 and 0 instead of true and false"),
    ],
)
async def test_data_that_is_ambiguous_is_refused(request_: dict[str, Any], words: str) -> None:
    with pytest.raises(MalformedRequest) as caught:
        await members_of(**request_)
    assert words in str(caught.value)


async def test_a_long_field_is_converted_in_steps() -> None:
    values = np.arange(2 * NUMBERS_IN_STEP + 1)
    assert (await to_array(values.tolist(), np.int64) == values).all()


def test_outputs_have_no_data_of_their_own() -> None:
    response = ModelInferResponse()
    add_outputs(response, [{"name": "logits", "datatype": "FP32", "shape": (2, 10), "parameters": {}}])
    [message] = response.outputs
    assert (message.name, message.datatype, list(message.shape)) == ("logits", "FP32", [2, 10])
