"""AV1 (the AV1 bitstream specification): find the size of a coded picture in its sequence header.

Does not decode pixels.
"""

from collections.abc import Iterator

from imaging.bit_reader import BitReader
from imaging.container import CodedPicture, check_count

_SEQUENCE_HEADER, _FRAME_HEADER, _FRAME = 1, 3, 6
_MAX_UNITS = 1000
_MAX_FRAMES = 8
"""A still picture has one frame, or one for each of up to four layers."""
_MAX_HEADER_BYTES = 256
"""The bytes of a sequence header that are parsed. With 32 operating points it has some 150."""
_IDENTITY_SRGB = (1, 13, 0)
"""The colour primaries, transfer characteristics and matrix coefficients of RGB without subsampling."""


def find_coded_picture(data: bytes) -> CodedPicture:
    """Return the largest size in the sequence headers of a coded picture.

    Raises:
        ValueError: if there is no sequence header, or if it is broken.
        PictureTooLarge: if there are too many units or frames.

    """
    sizes, frames = [], 0
    for type_, start, end in _units(data):
        if type_ == _SEQUENCE_HEADER:
            sizes.append(_parse_sequence_header(data[start : min(end, start + _MAX_HEADER_BYTES)]))
        elif type_ in {_FRAME_HEADER, _FRAME}:
            check_count(frames := frames + 1, _MAX_FRAMES, "frames in one picture")
    if not sizes:
        message = "its coded data has no sequence header"
        raise ValueError(message)
    return CodedPicture(
        max(size.width for size in sizes),
        max(size.height for size in sizes),
        max(size.bytes_per_pixel for size in sizes),
    )


def _units(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield the type, start and end of the content of each open bitstream unit (section 5.3)."""
    at = count = 0
    while at < len(data):
        check_count(count := count + 1, _MAX_UNITS, "units of coded data")
        header = data[at]
        at += 2 if header & 4 else 1
        length = len(data) - at
        if header & 2:
            length, at = _read_leb128(data, at)
        yield header >> 3 & 0xF, at, at + length
        at += length


def _read_leb128(data: bytes, at: int) -> tuple[int, int]:
    """Return the number at an offset, and the offset after it."""
    value = 0
    for index, byte in enumerate(data[at : at + 8]):
        value |= (byte & 0x7F) << 7 * index
        if not byte & 0x80:
            return value, at + index + 1
    message = "the length of a unit is invalid"
    raise ValueError(message)


def _parse_sequence_header(content: bytes) -> CodedPicture:
    """Return the size in a sequence header (section 5.5)."""
    reader = BitReader(content)
    profile = reader.read(3)
    reader.read(1)
    is_reduced = reader.read(1)
    if is_reduced:
        reader.read(5)
    else:
        _skip_operating_points(reader)
    width_bits, height_bits = reader.read(4) + 1, reader.read(4) + 1
    width, height = reader.read(width_bits) + 1, reader.read(height_bits) + 1
    if not is_reduced and reader.read(1):
        reader.read(7)
    reader.read(3)
    if not is_reduced:
        _skip_tools(reader)
    reader.read(3)
    return CodedPicture(width, height, _parse_colours(reader, profile))


def _skip_operating_points(reader: BitReader) -> None:
    delay_bits = 0
    if reader.read(1):  # timing
        reader.read(64)
        if reader.read(1):
            reader.read_exponential()
        if reader.read(1):  # decoder model
            delay_bits = reader.read(5) + 1
            reader.read(42)
    has_display_delay = reader.read(1)
    for _ in range(reader.read(5) + 1):
        reader.read(12)
        if reader.read(5) > 7:
            reader.read(1)
        if delay_bits and reader.read(1):
            reader.read(2 * delay_bits + 1)
        if has_display_delay and reader.read(1):
            reader.read(4)


def _skip_tools(reader: BitReader) -> None:
    reader.read(4)
    has_order_hint = reader.read(1)
    if has_order_hint:
        reader.read(2)
    chooses_screen_content = reader.read(1)
    allows_screen_content = chooses_screen_content or reader.read(1)
    if allows_screen_content and not reader.read(1):
        reader.read(1)
    if has_order_hint:
        reader.read(3)


def _parse_colours(reader: BitReader, profile: int) -> float:
    """Return the bytes of all planes for a pixel (section 5.5.2)."""
    is_deep = reader.read(1)
    has_12_bits = bool(profile == 2 and is_deep and reader.read(1))
    bytes_per_sample = 1 + is_deep
    if profile != 1 and reader.read(1):
        return bytes_per_sample
    colours = (reader.read(8), reader.read(8), reader.read(8)) if reader.read(1) else None
    if colours == _IDENTITY_SRGB or profile == 1:
        return 3 * bytes_per_sample
    if profile == 0:
        return 1.5 * bytes_per_sample
    reader.read(1)
    if not has_12_bits:
        return 2 * bytes_per_sample
    is_narrow = reader.read(1)
    is_low = is_narrow and reader.read(1)
    return (3 - is_narrow - 0.5 * is_low) * bytes_per_sample
