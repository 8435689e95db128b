import asyncio
import base64
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import MalformedRequest, TooLarge
from app.protocols.open_inference import requests
from app.protocols.open_inference.requests import ParsedOutput, ParsedRequest
from app.protocols.picture_files import encode_bytes_tensor

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 28, 28), dtype=np.uint8)
TENSOR: dict[str, Any] = {"name": "images", "shape": [2, 28, 28], "datatype": "UINT8", "data": IMAGES.tolist()}
BINARY = {key: value for key, value in TENSOR.items() if key != "data"} | {"parameters": {"binary_data_size": 1568}}


def parse_request(body: bytes, header_length: str | None) -> ParsedRequest:
    return asyncio.run(requests.parse_request(body, header_length, max_files=3))


def parse(header: object, rest: bytes = b"") -> ParsedRequest:
    text = json.dumps(header).encode()
    return parse_request(text + rest, str(len(text)) if rest else None)


def parse_tensor(rest: bytes = b"", **changes: object) -> ParsedRequest:
    return parse({"inputs": [{**(BINARY if rest else TENSOR), **changes}]}, rest)


def test_a_request_without_outputs_asks_for_all_in_json() -> None:
    request = parse({"inputs": [TENSOR]})
    assert (np.asarray(request.inputs) == IMAGES).all()
    assert request.outputs == (ParsedOutput("probabilities"), ParsedOutput("logits"))
    assert request.id is None


def test_a_tensor_behind_the_json_is_parsed() -> None:
    assert (np.asarray(parse({"inputs": [BINARY]}, IMAGES.tobytes()).inputs) == IMAGES).all()
    fractions = (IMAGES / 255).astype("<f4").tobytes()
    changes = {"datatype": "FP32", "parameters": {"binary_data_size": len(fractions)}}
    assert (np.asarray(parse_tensor(fractions, **changes).inputs) == IMAGES).all()


def test_an_output_without_parameters_takes_those_of_the_request() -> None:
    outputs = [{"name": "logits"}, {"name": "probabilities", "parameters": {"binary_data": False, "classification": 3}}]
    request = parse({"inputs": [TENSOR], "outputs": outputs, "parameters": {"binary_data_output": True}, "id": "42"})
    assert request.outputs == (ParsedOutput("logits", binary=True), ParsedOutput("probabilities", classes=3))
    assert request.id == "42"


def test_pictures_are_a_bytes_tensor_base64_or_the_body() -> None:
    raw = encode_bytes_tensor([b"one", b"two"])
    tensor = {"name": "image", "datatype": "BYTES", "shape": [2]}
    assert parse_tensor(raw, **tensor, parameters={"binary_data_size": len(raw)}).inputs == [b"one", b"two"]
    assert parse_tensor(**tensor, data=["b25l", "dHdv"]).inputs == [b"one", b"two"]
    for data in (["b25l", "dHdv"], [["b25l"], ["dHdv"]], [["b25l", "dHdv"]]):
        assert parse_tensor(**tensor, data=data).inputs == [b"one", b"two"]
        assert parse_tensor(**{**tensor, "shape": [2, 1]}, data=data).inputs == [b"one", b"two"]


def test_a_body_without_json_is_a_picture_or_a_tensor_that_is_answered_in_binary(seven: bytes) -> None:
    for picture in (seven, seven + bytes(-len(seven) % 784), b"P5 2 2 255 abcd"):
        request = parse_request(picture, "0")
        assert request.inputs == [picture]
        assert not any(output.binary for output in request.outputs)
    request = parse_request(IMAGES.tobytes(), "0")
    assert (np.asarray(request.inputs) == IMAGES).all()
    assert request.outputs == (ParsedOutput("probabilities", binary=True), ParsedOutput("logits", binary=True))


@pytest.mark.parametrize("body", [b"", b"427", bytes(783), b"picture"])
def test_a_body_without_json_that_is_neither_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedRequest, match=f"{len(body)} bytes are no multiple of 784, and not a picture: The"):
        parse_request(body, "0")


def test_binary_data_without_its_header_is_said_to_be_that() -> None:
    text = json.dumps({"inputs": [BINARY]}).encode()
    for rest in (IMAGES.tobytes(), bytes(10**5), np.random.default_rng(1).bytes(10**6)):
        with pytest.raises(MalformedRequest) as caught:
            parse_request(text + rest, None)
        assert f"has {len(rest):,} bytes of binary data after its JSON" in str(caught.value)
        assert f"Inference-Header-Content-Length: {len(text)}," in str(caught.value)


def test_a_picture_or_tensor_without_the_header_is_told_the_header(seven: bytes) -> None:
    for body in (seven, bytes(784), b"\xff\xd8\xff"):
        with pytest.raises(MalformedRequest, match=r"not JSON.*send the header Inference-Header-Content-Length: 0"):
            parse_request(body, None)
    for body in (b"", b"[]", b'{"inputs": [}', b'{"inputs": []', b'"x"'):
        with pytest.raises(MalformedRequest, match=r"^((?!Inference-Header).)*$"):
            parse_request(body, None)


def test_too_many_elements_are_refused_before_they_are_decoded() -> None:
    tensor = {"name": "image", "datatype": "BYTES", "shape": [4]}
    raw = bytes(16)
    with pytest.raises(TooLarge, match="4 pictures are more than 3"):
        parse_tensor(raw, **tensor, parameters={"binary_data_size": len(raw)})
    with pytest.raises(TooLarge, match="4 pictures are more than 3"):
        parse_tensor(**tensor, data=["b25l"] * 4)


def test_large_json_is_parsed_as_small_json_is() -> None:
    images = np.random.default_rng(1).integers(0, 256, (60, 28, 28), dtype=np.uint8)
    for data in (images.tolist(), images.ravel().tolist()):
        assert (np.asarray(parse_tensor(shape=[60, 28, 28], data=data).inputs) == images).all()
    fractions = (images / 255).tolist()
    assert (np.asarray(parse_tensor(shape=[60, 28, 28], datatype="FP32", data=fractions).inputs) == images).all()
    picture = base64.b64encode(bytes(10**5)).decode()
    assert parse_tensor(name="image", datatype="BYTES", shape=[1], data=[picture]).inputs == [bytes(10**5)]


@pytest.mark.parametrize("member", ["id", "name", "datatype"])
def test_a_long_text_is_shortened_in_the_error(member: str) -> None:
    text = "x" * 10**6
    with pytest.raises(MalformedRequest) as caught:
        parse({"inputs": [TENSOR], "id": text}) if member == "id" else parse_tensor(**{member: text})
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("length", ["-1", "x", "", "1.0", "99999", "9" * 400, "²"])
def test_a_header_length_out_of_range_is_refused(length: str) -> None:
    with pytest.raises(MalformedRequest, match="Inference-Header-Content-Length"):
        parse_request(json.dumps({"inputs": [TENSOR]}).encode(), length)


@pytest.mark.parametrize(
    "changes",
    [
        {"shape": [-1, 28, 28]},
        {"shape": [2**62, 28, 28]},
        {"shape": [2**80, 28, 28]},
        {"shape": [2.0, 28, 28]},
        {"shape": [True, 28, 28]},
        {"shape": [1] * 9},
        {"shape": []},
        {"shape": None},
        {"shape": [3, 28, 28]},
        {"datatype": "INT64"},
        {"datatype": None},
        {"datatype": ["UINT8"]},
        {"name": "pixels"},
        {"name": {}},
        {"data": None},
        {"parameters": []},
        {"parameters": {"binary_data_size": 0}},
        {"name": "image", "datatype": "UINT8"},
        {"name": "image", "datatype": "BYTES", "shape": [2], "data": "b25l"},
    ],
)
def test_an_invalid_tensor_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(MalformedRequest):
        parse_tensor(**changes)


@pytest.mark.parametrize("size", [-1, 0, 1567, 1569, 2**70, "1568", None, True])
def test_a_binary_data_size_other_than_the_number_of_bytes_is_refused(size: object) -> None:
    with pytest.raises(MalformedRequest):
        parse_tensor(IMAGES.tobytes(), parameters={"binary_data_size": size})


def test_data_both_in_and_behind_the_json_is_refused() -> None:
    with pytest.raises(MalformedRequest, match="either"):
        parse_tensor(IMAGES.tobytes(), data=IMAGES.tolist())


@pytest.mark.parametrize(
    "changes",
    [
        {"inputs": None},
        {"inputs": []},
        {"inputs": [TENSOR, TENSOR]},
        {"inputs": ["images"]},
        {"id": 42},
        {"parameters": {"triton_x": 1}},
        {"parameters": {"triton_enable_empty_final_response": True}},
        {"parameters": {"sequence_id": -1}},
        {"parameters": {"sequence_id": True}},
        {"parameters": {"sequence_id": 1.5}},
        {"parameters": {"sequence_start": "yes"}},
        {"parameters": {"sequence_start": 1}},
        {"parameters": {"sequence_end": None}},
        {"parameters": {"priority": "high"}},
        {"parameters": {"timeout": -1}},
        {"parameters": {"timeout": {}}},
        {"parameters": "x"},
        {"parameters": {"binary_data_output": 1}},
        {"outputs": [{"name": "logits"}, {"name": "logits"}]},
        {"outputs": [{"name": "scores"}]},
        {"outputs": [{}]},
        {"outputs": ["logits"]},
        {"outputs": {"name": "logits"}},
        {"outputs": [{"name": "logits", "parameters": {"classification": -1}}]},
        {"outputs": [{"name": "logits", "parameters": {"classification": "3"}}]},
        {"outputs": [{"name": "logits", "parameters": {"binary_data": "yes"}}]},
    ],
)
def test_an_invalid_request_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(MalformedRequest):
        parse({"inputs": [TENSOR], **changes})


@pytest.mark.parametrize(
    "parameters",
    [
        {"sequence_id": 7, "sequence_start": True, "sequence_end": False},
        {"sequence_id": "a"},
        {"priority": 1, "x": "y"},
    ],
)
def test_other_parameters_of_a_request_are_ignored(parameters: dict[str, object]) -> None:
    assert parse({"inputs": [TENSOR], "parameters": parameters}) is not None


def test_tensors_in_shared_memory_are_refused() -> None:
    parameters = {"shared_memory_region": "r", "shared_memory_byte_size": 40}
    with pytest.raises(MalformedRequest, match="The output 'logits' has the parameter 'shared_memory_region'"):
        parse({"inputs": [TENSOR], "outputs": [{"name": "logits", "parameters": parameters}]})
    with pytest.raises(MalformedRequest, match="The input 'images' has the parameter 'shared_memory_region'"):
        parse({"inputs": [{**BINARY, "parameters": parameters}]})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(["images", "image", "logits", "probabilities"]) | JSON
PARAMETERS = st.dictionaries(
    st.sampled_from(
        ["binary_data_size", "binary_data", "classification", "binary_data_output", "sequence_id", "triton_x"]
    ),
    JSON,
    max_size=2,
)
TENSORS = st.fixed_dictionaries(
    {},
    optional={
        "name": NAMES,
        "shape": st.lists(st.integers(-2, 30) | st.just(28) | st.integers(), max_size=4) | JSON,
        "datatype": st.sampled_from(["UINT8", "FP32", "BYTES", "BOOL"]) | JSON,
        "data": JSON,
        "parameters": PARAMETERS | JSON,
    },
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "inputs": st.lists(TENSORS, max_size=2) | JSON,
        "outputs": st.lists(st.fixed_dictionaries({}, optional={"name": NAMES, "parameters": PARAMETERS}), max_size=2),
        "parameters": PARAMETERS | JSON,
        "id": JSON,
    },
)


@settings(max_examples=4 * settings.default.max_examples)
@given(HEADERS, st.binary(max_size=60), st.integers(-3, 3) | st.text(max_size=4) | st.none())
def test_any_header_is_parsed_or_refused(header: object, rest: bytes, off: int | str | None) -> None:
    text = json.dumps(header).encode()
    length = str(len(text) + off) if isinstance(off, int) else off
    try:
        request = parse_request(text + rest, length)
    except MalformedRequest:
        return
    assert request.outputs


@settings(max_examples=3 * settings.default.max_examples)
@given(st.binary(max_size=200), st.none() | st.integers(0, 220).map(str))
def test_any_bytes_are_parsed_or_refused(body: bytes, length: str | None) -> None:
    try:
        request = parse_request(body, length)
    except MalformedRequest:
        return
    assert request.outputs
