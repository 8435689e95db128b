"""Reads the bodies of `:predict` and `:classify`. Knows no models and runs nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from app.errors import MalformedRequest
from app.json_object import read_object
from app.scorer import Inputs
from app.tensors import IMAGE, file_from_base64, images_from_rows


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


def read_predict(body: bytes) -> PredictRequest:
    """Read the body of a `:predict`.

    Raises:
        MalformedRequest: if it is not what the interface says.

    """
    content = read_object(body)
    signature = _read_signature(content)
    if ("instances" in content) == ("inputs" in content):
        message = "The body has either 'instances', one for each image, or 'inputs', and not both."
        raise MalformedRequest(message)
    if "instances" in content:
        rows = content["instances"]
        if not isinstance(rows, list):
            message = "The member 'instances' is a list, one for each image."
            raise MalformedRequest(message)
        return PredictRequest(_read_rows([_unwrap(row) for row in rows], signature), signature, by_rows=True)
    return PredictRequest(_read_columns(content["inputs"], signature), signature, by_rows=False)


def read_classify(body: bytes) -> Inputs:
    """Read the body of a `:classify`.

    Raises:
        MalformedRequest: if it is not what the interface says.

    """
    content = read_object(body)
    signature = _read_signature(content)
    examples = content.get("examples")
    if not isinstance(examples, list) or not all(isinstance(example, dict) for example in examples):
        message = "The member 'examples' is a list of objects {feature: value}; the feature is 'images' or 'image'."
        raise MalformedRequest(message)
    context = content.get("context", {})
    if not isinstance(context, dict):
        message = "The member 'context' is an object of the features that all examples share."
        raise MalformedRequest(message)
    return _read_rows([_unwrap({**context, **example}) for example in examples], signature)


def _read_signature(content: Mapping[str, Any]) -> Signature:
    name = content.get("signature_name", "") or "serving_default"
    if not isinstance(name, str) or name not in SIGNATURES:
        message = f"There is no signature {name!r:.40}. The signatures are: {', '.join(SIGNATURES)}."
        raise MalformedRequest(message)
    return SIGNATURES[name]


def _read_columns(inputs: object, signature: Signature) -> Inputs:
    rows = inputs if _is_file(inputs) else _unwrap(inputs)
    if _is_file(rows):
        rows = [rows]
    if not isinstance(rows, list):
        message = "The member 'inputs' is a tensor, or an object that names it: {'images': ...} or {'image': ...}."
        raise MalformedRequest(message)
    return _read_rows(rows, signature)


def _read_rows(rows: list[Any], signature: Signature) -> Inputs:
    if rows and any(map(_is_file, rows)):
        return [_read_file(row) for row in rows]
    return images_from_rows(rows, signature.row_shape)


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


def _read_file(value: object) -> bytes:
    if not isinstance(value, dict) or not _is_file(value):
        message = "One image is a picture file, {'b64': ...}, and another is not. Send one kind in a request."
        raise MalformedRequest(message)
    return file_from_base64(value["b64"])
