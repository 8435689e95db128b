"""HEVC (ITU-T H.265): find the size of a coded picture in its parameter sets. Does not decode pixels."""

from collections.abc import Iterator

from imaging.bit_reader import BitReader
from imaging.container import CodedPicture, check_count

_VIDEO_PARAMETERS, _SEQUENCE_PARAMETERS, _PICTURE_PARAMETERS = 32, 33, 34
_PARAMETER_SETS = {_VIDEO_PARAMETERS, _SEQUENCE_PARAMETERS, _PICTURE_PARAMETERS}
_FIRST_NON_PICTURE = 32
"""NAL units of a lower type contain slices of a picture."""
_PROFILE_BITS = 88
"""The bits of `profile_tier_level` before the level."""
_MAX_UNITS = 20_000
_MAX_PARAMETER_SETS = 64
_MAX_SEQUENCE_PARAMETER_BYTES = 256
"""The bytes of a sequence parameter set that are parsed: the size stands at its beginning."""
_CONFIGURATION_HEADER = 22
"""The bytes of a decoder configuration before the number of its arrays (ISO/IEC 14496-15, section 8.3.3)."""


def find_coded_picture(configuration: bytes, data: bytes) -> CodedPicture:
    """Return the largest size in the decoder `configuration` (`hvcC`) of one picture with the coded `data`.

    Raises:
        ValueError, IndexError: if the configuration is broken, or if the data contains several pictures or parameter
            sets of its own, which could announce another size.
        PictureTooLarge: if there are too many units.

    """
    sizes = [_parse_sequence_parameters(unit) for unit in _sequence_parameters(configuration)]
    if not sizes:
        message = "its decoder configuration has no sequence parameters"
        raise ValueError(message)
    pictures = 0
    for start in _units(data, 1 + (configuration[21] & 3)):
        type_ = _type_of(data[start])
        if type_ in _PARAMETER_SETS:
            message = "its coded data contains parameter sets"
            raise ValueError(message)
        if type_ < _FIRST_NON_PICTURE and start + 2 < len(data):
            pictures += data[start + 2] >> 7  # `first_slice_segment_in_pic_flag`
    if pictures != 1:
        message = f"its coded data contains {pictures} pictures instead of one"
        raise ValueError(message)
    return CodedPicture(
        max(size.width for size in sizes),
        max(size.height for size in sizes),
        max(size.bytes_per_pixel for size in sizes),
    )


def _type_of(first_byte: int) -> int:
    return first_byte >> 1 & 0x3F


def _sequence_parameters(configuration: bytes) -> Iterator[bytes]:
    """Yield each sequence parameter set of the base layer."""
    at, count = _CONFIGURATION_HEADER + 1, 0
    for _ in range(configuration[_CONFIGURATION_HEADER]):
        units = int.from_bytes(configuration[at + 1 : at + 3], "big")
        at += 3
        for _ in range(units):
            check_count(count := count + 1, _MAX_PARAMETER_SETS, "parameter sets")
            length = int.from_bytes(configuration[at : at + 2], "big")
            unit = configuration[at + 2 : at + 2 + length]
            layer = (unit[0] & 1) << 5 | unit[1] >> 3
            if _type_of(unit[0]) == _SEQUENCE_PARAMETERS and layer == 0:
                yield unit
            at += 2 + length


def _units(data: bytes, length_size: int) -> Iterator[int]:
    """Yield the offset of each NAL unit of at least one byte in `data`."""
    at = count = 0
    while at + length_size < len(data):
        check_count(count := count + 1, _MAX_UNITS, "units of coded data")
        length = int.from_bytes(data[at : at + length_size], "big")
        if length:
            yield at + length_size
        at += length_size + length


def _parse_sequence_parameters(unit: bytes) -> CodedPicture:
    """Return the size in a sequence parameter set (section 7.3.2.2), with the margins that are cropped."""
    beginning = unit[2:_MAX_SEQUENCE_PARAMETER_BYTES]
    reader = BitReader(beginning.replace(b"\0\0\3", b"\0\0"))
    reader.read(4)
    sub_layers = reader.read(3)
    reader.read(1 + _PROFILE_BITS + 8)
    _skip_sub_layers(reader, sub_layers)
    reader.read_exponential()
    chroma = reader.read_exponential()
    if chroma == 3:
        reader.read(1)
    width, height = reader.read_exponential(), reader.read_exponential()
    if reader.read(1):
        for _ in range(4):
            reader.read_exponential()
    depth = 8 + max(reader.read_exponential(), reader.read_exponential())
    samples = {0: 1.0, 1: 1.5, 2: 2.0}.get(chroma, 3.0)
    return CodedPicture(width, height, samples * (1 if depth <= 8 else 2))


def _skip_sub_layers(reader: BitReader, sub_layers: int) -> None:
    if not sub_layers:
        return
    present = [(reader.read(1), reader.read(1)) for _ in range(8)][:sub_layers]
    for has_profile, has_level in present:
        reader.read(has_profile * _PROFILE_BITS + has_level * 8)
