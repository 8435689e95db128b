"""Reads the bodies of `:predict` and `:classify`. Knows no models and runs nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from app.errors import MalformedRequest, TooLarge
from app.protocols.json_object import brief, read_object
from app.protocols.number_array import Numbers
from app.protocols.tensor_predictor import Inputs
from app.protocols.tensors import IMAGE, check_files, file_from_base64, images_from_rows


@dataclass(frozen=True)
class Signature:
    """What one image is in a signature's input, and how its outputs are called."""

    row_shape: tuple[int, ...]
    outputs: Mapping[str, Literal["probabilities", "logits"]]


SIGNATURES: Mapping[str, Signature] = {
    "serving_default": Signature(IMAGE, {"probabilities": "probabilities", "logits": "logits"}),
    "predict_images": Signature((784,), {"scores": "probabilities"}),
}


@dataclass(frozen=True)
class PredictRequest:
    """What a client asks for."""

    inputs: Inputs
    signature: Signature
    by_rows: bool
    """Whether it was asked in rows, `instances`, and not in columns, `inputs`."""


async def read_predict(body: bytes, *, max_files: int) -> PredictRequest:
    """Read the body of a `:predict`, which may have `max_files` picture files.

    Raises:
        MalformedRequest: if it is not what the interface says.
        TooLarge: if it has more picture files, or more strings and lists than a body of its size may have.

    """
    content = await read_object(body)
    signature = _read_signature(content)
    if ("instances" in content) == ("inputs" in content):
        message = "The body has either 'instances', one for each image, or 'inputs', and not both."
        raise MalformedRequest(message)
    if "instances" in content:
        rows = content["instances"]
        if not isinstance(rows, list | np.ndarray):
            message = "The member 'instances' is a list, one for each image."
            raise MalformedRequest(message)
        rows = rows if isinstance(rows, np.ndarray) else [_unwrap(row) for row in rows]
        return PredictRequest(await _read_rows(rows, signature, max_files), signature, by_rows=True)
    return PredictRequest(await _read_columns(content["inputs"], signature, max_files), signature, by_rows=False)


async def read_classify(body: bytes, *, max_files: int) -> Inputs:
    """Read the body of a `:classify`, which may have `max_files` picture files.

    Raises:
        MalformedRequest: if it is not what the interface says.
        TooLarge: if it has more picture files, or more strings and lists than a body of its size may have.

    """
    content = await read_object(body)
    signature = _read_signature(content)
    examples = content.get("examples")
    if not isinstance(examples, list) or not all(isinstance(example, dict) for example in examples):
        message = "The member 'examples' is a list of objects {feature: value}; the feature is 'images' or 'image'."
        raise MalformedRequest(message)
    context = content.get("context", {})
    if not isinstance(context, dict):
        message = "The member 'context' is an object of the features that all examples share."
        raise MalformedRequest(message)
    if context and len(examples) > max_files:  # what they share is in the body once, and is an image for each of them
        message = (
            f"{len(examples):,} examples share the features in 'context'; at most {max_files:,} may. Give each example "
            "its own."
        )
        raise TooLarge(message)
    return await _read_rows([_unwrap({**context, **example}) for example in examples], signature, max_files)


def _read_signature(content: Mapping[str, Any]) -> Signature:
    name = content.get("signature_name", "") or "serving_default"
    if not isinstance(name, str) or name not in SIGNATURES:
        message = f"There is no signature {brief(name)}. The signatures are: {', '.join(SIGNATURES)}."
        raise MalformedRequest(message)
    return SIGNATURES[name]


async def _read_columns(inputs: object, signature: Signature, max_files: int) -> Inputs:
    rows = inputs if _is_file(inputs) else _unwrap(inputs)
    if _is_file(rows):
        rows = [rows]
    if not isinstance(rows, list | np.ndarray):
        message = "The member 'inputs' is a tensor, or an object that names it: {'images': ...} or {'image': ...}."
        raise MalformedRequest(message)
    return await _read_rows(rows, signature, max_files)


async def _read_rows(rows: list[Any] | Numbers, signature: Signature, max_files: int) -> Inputs:
    if isinstance(rows, np.ndarray) or not any(map(_is_file, rows)):
        return await images_from_rows(rows, signature.row_shape)
    check_files(len(rows), max_files)
    return await _read_files(rows)


async def _read_files(rows: list[Any]) -> list[bytes]:
    """Decode each file once: examples may share one."""
    for row in rows:
        if not _is_file(row):
            message = "One image is a picture file, {'b64': ...}, and another is not. Send one kind in a request."
            raise MalformedRequest(message)
    texts = {id(row): row["b64"] for row in rows}
    files = {key: await file_from_base64(text) for key, text in texts.items()}
    return [files[id(row)] for row in rows]


def _unwrap(named: object) -> object:
    """Take the value out of {'images': value} or {'image': value}; what is not named is the value itself."""
    if not isinstance(named, dict) or _is_file(named):
        return named
    if len(named) != 1 or not named.keys() <= {"images", "image"}:
        message = "The inputs are 'images', and in its place 'image' for a picture file: {'b64': ...}."
        raise MalformedRequest(message)
    return next(iter(named.values()))


def _is_file(value: object) -> bool:
    return isinstance(value, dict) and value.keys() == {"b64"}
