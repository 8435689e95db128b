"""Reads the signatures of a SavedModel, without TensorFlow. Knows no engine and runs nothing.

`saved_model.pb` is a message SavedModel in the wire format of Protocol Buffers
(https://protobuf.dev/programming-guides/encoding). The few fields that are needed are parsed here: the messages of
TensorFlow would bring TensorFlow with them.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from app.errors import BrokenArtefact

_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5
_FIXED_SIZES = {_FIXED_64: 8, _FIXED_32: 4}
_MAX_VARINT_BYTES = 10

# The numbers of the fields in saved_model.proto, meta_graph.proto and tensor_shape.proto of TensorFlow.
_META_GRAPHS = 2
_SIGNATURE_DEF = 5
_KEY, _VALUE = 1, 2
_INPUTS, _OUTPUTS, _METHOD_NAME = 1, 2, 3
_NAME, _DTYPE, _TENSOR_SHAPE = 1, 2, 3
_DIM, _UNKNOWN_RANK = 2, 3
_SIZE = 1

_DATATYPES = {1: "DT_FLOAT", 2: "DT_DOUBLE", 3: "DT_INT32", 4: "DT_UINT8", 7: "DT_STRING", 9: "DT_INT64", 10: "DT_BOOL"}


class TensorInfo(NamedTuple):
    """A tensor of a signature."""

    name: str
    """Its name in the graph."""
    dtype: str
    """The name of its type in TensorFlow's messages, such as DT_UINT8."""
    shape: tuple[int, ...] | None
    """-1 is any length; None means that the number of axes is unknown."""


class Signature(NamedTuple):
    """A function of a SavedModel: its tensors by their names in requests."""

    inputs: Mapping[str, TensorInfo]
    outputs: Mapping[str, TensorInfo]
    method_name: str


Signatures = Mapping[str, Signature]
"""The signatures of a SavedModel, by name."""
_Value = int | bytes
_Message = Mapping[int, list[_Value]]


def read_signatures(directory: Path) -> Signatures:
    """Read the signatures of the SavedModel in `directory`, in alphabetical order.

    Raises:
        BrokenArtefact: if it has no `saved_model.pb`, or that is not a SavedModel.

    """
    path = directory / "saved_model.pb"
    try:
        graph = _message(_message(path.read_bytes())[_META_GRAPHS][0])
        signatures = {name: _signature(each) for name, each in _map(graph, _SIGNATURE_DEF).items()}
    except (OSError, ValueError, LookupError) as error:
        message = f"The signatures in {path} cannot be read: {error}. Publish the version again."
        raise BrokenArtefact(message) from error
    return dict(sorted(signatures.items()))


def _signature(data: _Value) -> Signature:
    message = _message(data)
    inputs, outputs = (
        {name: _tensor(each) for name, each in sorted(_map(message, field).items())} for field in (_INPUTS, _OUTPUTS)
    )
    return Signature(inputs, outputs, _text(message, _METHOD_NAME))


def _tensor(data: _Value) -> TensorInfo:
    message = _message(data)
    number = message.get(_DTYPE, [0])[-1]
    shape = _message(message.get(_TENSOR_SHAPE, [b""])[-1])
    axes = None if shape.get(_UNKNOWN_RANK, [0])[-1] else tuple(map(_length, shape.get(_DIM, [])))
    return TensorInfo(_text(message, _NAME), _DATATYPES.get(int(number), "DT_INVALID"), axes)


def _length(data: _Value) -> int:
    unsigned = int(_message(data).get(_SIZE, [0])[-1])
    return unsigned - 2**64 if unsigned >= 2**63 else unsigned


def _map(message: _Message, field: int) -> dict[str, _Value]:
    """Return a map, which is a list of messages with a key and a value."""
    entries = (_message(each) for each in message.get(field, []))
    return {_text(entry, _KEY): entry.get(_VALUE, [b""])[-1] for entry in entries}


def _text(message: _Message, field: int) -> str:
    value = message.get(field, [b""])[-1]
    if isinstance(value, int):
        raise _invalid()
    return value.decode()


def _message(data: _Value) -> _Message:
    """Parse a message into the values of its fields, by the numbers of the fields."""
    if isinstance(data, int):
        raise _invalid()
    fields: dict[int, list[_Value]] = {}
    for number, value in _fields(data):
        fields.setdefault(number, []).append(value)
    return fields


def _fields(data: bytes) -> Iterator[tuple[int, _Value]]:
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        kind = tag & 7
        if kind == _VARINT:
            value, position = _varint(data, position)
            yield tag >> 3, value
            continue
        if kind == _BYTES:
            size, position = _varint(data, position)
        else:
            size = _FIXED_SIZES[kind]
        end = position + size
        if end > len(data):
            raise _invalid()
        yield tag >> 3, data[position:end]
        position = end


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """Return an integer, whose bytes have seven bits each, the lowest first, and the position after it."""
    value = 0
    for shift, byte in enumerate(data[position : position + _MAX_VARINT_BYTES]):
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            return value, position + shift + 1
    raise _invalid()


def _invalid() -> ValueError:
    return ValueError("it is not a SavedModel")
