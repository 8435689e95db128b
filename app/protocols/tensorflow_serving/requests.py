"""Parses requests to predict and to classify: JSON, and tensors that have types. Knows no models."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.errors import MalformedRequest, TooLarge
from app.protocols.json_object import parse_object, short_repr
from app.protocols.number_array import Numbers
from app.protocols.picture_files import check_count, decode_base64
from app.protocols.tensor_predictor import Inputs
from app.protocols.tensorflow_serving.metadata import CLASSIFY
from app.protocols.tensors import images_from_rows

_Value = TypeVar("_Value")

_IMAGES, _FILES = "images", "image"
"""The names of the input: for numbers, and for picture files."""
_ADVICE = 'A picture file is {"b64": "<base64>"}.'
_TYPED = "Expected 'images', numbers, or 'image', picture files as DT_STRING."
_NAMED = 'Expected {"images": <numbers>}, or {"image": {"b64": "<base64>"}} for a picture file.'


@dataclass(frozen=True)
class Signature:
    """The outputs of a signature by their names. The input of each is `images`, of any shape of `images_from_rows`."""

    outputs: Mapping[str, Literal["probabilities", "logits"]]


SIGNATURES: Mapping[str, Signature] = {
    "serving_default": Signature({"probabilities": "probabilities", "logits": "logits"}),
    "predict_images": Signature({"scores": "probabilities"}),
}


@dataclass(frozen=True)
class ParsedPredict:
    """A parsed `:predict` request."""

    inputs: Inputs
    signature: Signature
    by_rows: bool = False
    """Whether the request has rows, `instances`, and not columns, `inputs`."""


async def parse_predict(body: bytes, *, max_files: int) -> ParsedPredict:
    """Parse the body of a `:predict` request, which may have `max_files` picture files.

    Raises:
        MalformedRequest: if it does not follow the API.
        TooLarge: if it has more picture files, or more strings and lists than a body of its size may have.

    """
    content = await parse_object(body)
    signature = _find_signature(content.get("signature_name", ""))
    if ("instances" in content) == ("inputs" in content):
        message = "The body must have either 'instances', one for each image, or 'inputs', not both."
        raise MalformedRequest(message)
    if "instances" in content:
        rows = content["instances"]
        if not isinstance(rows, list | np.ndarray):
            message = f"The member 'instances' must be a list with one element for each image, not {short_repr(rows)}."
            raise MalformedRequest(message)
        rows = rows if isinstance(rows, np.ndarray) else _unwrap_rows(rows, "instances")
        return ParsedPredict(await _parse_rows(rows, "instances", max_files), signature, by_rows=True)
    return ParsedPredict(await _parse_columns(content["inputs"], max_files), signature)


async def parse_typed_predict(
    inputs: Mapping[str, NDArray[Any] | list[bytes]],
    signature_name: str,
    output_filter: Iterable[str],
    *,
    max_files: int,
) -> ParsedPredict:
    """Parse a request whose inputs are arrays, with an axis of images, or picture files.

    Images of type uint8 are ink from 0 to 255. In other types, each image is decided by its values, as in JSON.

    Args:
        inputs: the inputs by their names.
        signature_name: empty for `serving_default`.
        output_filter: the names of the outputs to return; empty for all.
        max_files: the maximum number of picture files.

    Raises:
        MalformedRequest: if the signature has no such input or output, or the input does not fit.
        TooLarge: if there are more picture files.

    """
    signature = _find_signature(signature_name)
    names = list(output_filter) or list(signature.outputs)
    if unknown := [name for name in names if name not in signature.outputs]:
        message = f"There is no output {short_repr(unknown[0])}. The outputs are: {', '.join(signature.outputs)}."
        raise MalformedRequest(message)
    chosen = Signature({name: signature.outputs[name] for name in names})
    rows = _unwrap(inputs, "inputs", _TYPED)
    if isinstance(rows, list):
        check_count(len(rows), max_files)
        return ParsedPredict(rows, chosen)
    exact = rows.dtype == np.uint8
    return ParsedPredict(await images_from_rows(rows, "inputs", advice=_TYPED, exact=exact), chosen)


async def parse_classify(body: bytes, *, max_files: int) -> Inputs:
    """Parse the body of a `:classify` request, which may have `max_files` picture files.

    Raises:
        MalformedRequest: if it does not follow the API.
        TooLarge: if it has more picture files, or more strings and lists than a body of its size may have.

    """
    content = await parse_object(body)
    examples = content.get("examples")
    if not isinstance(examples, list) or not all(isinstance(example, dict) for example in examples):
        message = (
            "The member 'examples' must be a list of objects {feature: value}. The feature is 'images' or 'image'."
        )
        raise MalformedRequest(message)
    context = content.get("context", {})
    if not isinstance(context, dict):
        message = "The member 'context' must be an object with the features that all examples share."
        raise MalformedRequest(message)
    return await parse_examples(examples, context, content.get("signature_name", ""), max_files=max_files)


async def parse_examples(
    examples: Sequence[Mapping[str, Any]], context: Mapping[str, Any], signature_name: object, *, max_files: int
) -> Inputs:
    """Parse the examples of a request to classify.

    Args:
        examples: the features of each, by their names. A picture file is base64 as in JSON, or bytes.
        context: the features that all examples share.
        signature_name: empty for the default.
        max_files: the maximum number of picture files.

    Raises:
        MalformedRequest: if there is no such signature, no example, or a feature does not fit.
        TooLarge: if there are more picture files, or more examples share a feature.

    """
    if signature_name != CLASSIFY:
        _find_signature(signature_name)
    if context and len(examples) > max_files:  # a shared image is once in the body, and scored for each example
        message = (
            f"{len(examples):,} examples share the features in 'context'; at most {max_files:,} may. Give each example "
            "its own."
        )
        raise TooLarge(message)
    rows = [_unwrap({**context, **example}, f"examples[{index}]") for index, example in enumerate(examples)]
    return await _parse_rows(rows, "examples", max_files)


def _find_signature(name: object) -> Signature:
    name = name or "serving_default"
    if not isinstance(name, str) or name not in SIGNATURES:
        message = f"There is no signature {short_repr(name)}. The signatures are: {', '.join(SIGNATURES)}."
        raise MalformedRequest(message)
    return SIGNATURES[name]


async def _parse_columns(inputs: object, max_files: int) -> Inputs:
    rows = _unwrap(inputs, "inputs") if isinstance(inputs, dict) and not _is_file(inputs) else inputs
    if _is_file(rows):
        rows = [rows]
    if not isinstance(rows, list | np.ndarray):
        message = f"The member 'inputs' must have a tensor of images, not {short_repr(rows)}. {_NAMED}"
        raise MalformedRequest(message)
    return await _parse_rows(rows, "inputs", max_files)


async def _parse_rows(rows: list[Any] | Numbers, member: str, max_files: int) -> Inputs:
    if isinstance(rows, np.ndarray) or not any(map(_is_file, rows)):
        return await images_from_rows(rows, member, advice=_ADVICE)
    check_count(len(rows), max_files)
    return await _decode_files(rows)


async def _decode_files(rows: list[Any]) -> list[bytes]:
    """Decode each file once: examples may share one."""
    for row in rows:
        if not _is_file(row):
            message = "One image is a picture file, {'b64': ...}, and another is not. Send one kind in a request."
            raise MalformedRequest(message)
    distinct = {id(row): row for row in rows}
    files = {key: row if isinstance(row, bytes) else await decode_base64(row["b64"]) for key, row in distinct.items()}
    return [files[id(row)] for row in rows]


def _unwrap_rows(rows: list[Any], member: str) -> list[Any]:
    """Return the values of rows that name their input; rows without names are returned as they are.

    Raises:
        MalformedRequest: if some rows have a name and others have none, or another one.

    """
    named = [index for index, row in enumerate(rows) if isinstance(row, dict) and not _is_file(row)]
    if not named:
        return rows
    if len(named) < len(rows):
        plain = next(index for index, row in enumerate(rows) if not isinstance(row, dict) or _is_file(row))
        message = (
            f"{member}[{named[0]}] is an object that names its input, and {member}[{plain}] is not. Send all rows in "
            f"the same form. {_NAMED}"
        )
        raise MalformedRequest(message)
    values = [_unwrap(row, f"{member}[{index}]") for index, row in enumerate(rows)]
    name = next(iter(rows[0]))
    if other := next((index for index, row in enumerate(rows) if name not in row), None):
        message = f"Missing named input: {name} in {member}[{other}]. Name the input of all rows alike. {_NAMED}"
        raise MalformedRequest(message)
    return values


def _unwrap(named: Mapping[str, _Value], where: str, advice: str = _NAMED) -> _Value:
    """Return the value of {'images': value} or {'image': value}."""
    if not named.keys() & {_IMAGES, _FILES}:
        found = f" It has {short_repr(next(iter(named)))}." if named else ""
        message = f"Missing named input: {_IMAGES} in {where}.{found} {advice}"
        raise MalformedRequest(message)
    if len(named) > 1:
        message = f"{where} has the inputs {short_repr(sorted(named))}. {advice}"
        raise MalformedRequest(message)
    return next(iter(named.values()))


def _is_file(value: object) -> bool:
    return isinstance(value, bytes) or (isinstance(value, dict) and value.keys() == {"b64"})
