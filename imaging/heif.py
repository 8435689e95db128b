"""HEIC and AVIF files (ISO/IEC 23008-12): parse the items, and decode the primary picture.

The decoder receives a new file with the primary picture and its transparency alone: no previews, no depth maps, no
further pictures, no metadata, and none of the rarer ways to compose a picture, in which decoders had many faults.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import _avif

from imaging import av1, hevc
from imaging.boxes import Box, FieldReader, build_box, find_boxes, iterate_boxes
from imaging.container import CodedPicture, Container, check_count
from imaging.errors import UnsupportedPicture

_HEVC, _AV1, _GRID, _TONE_MAP = b"hvc1", b"av01", b"grid", b"tmap"
_CODEC_PROPERTY = {_HEVC: b"hvcC", _AV1: b"av1C"}
_BRAND = {_HEVC: b"heic", _AV1: b"avif"}
_AVIF_BRANDS = {b"avif", b"avis"}
_BRANDS = _AVIF_BRANDS | {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"mif2", b"msf1", b"miaf"}
_MAX_BRANDS = 64
_PICTURES = {_HEVC, _AV1, _GRID, _TONE_MAP, b"iovl", b"iden", b"jpeg", b"avc1", b"vvc1", b"j2k1", b"unci"}
"""The types of items that are pictures."""
_OF_ANOTHER = {b"thmb", b"auxl", b"cdsc"}
"""The references of an item that belongs to another picture, such as a preview."""
_ALPHA = (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0", b"urn:mpeg:hevc:2015:auxid:1\0")
_CODED_PROPERTIES = {b"hvcC", b"av1C", b"ispe", b"pixi", b"auxC"}
"""The properties that a decoder needs. Of the colour profiles (`colr`), only the numbers of the matrix are kept."""

_MAX_ITEMS = 2000
"""A photograph of 48 megapixels has some 200 items."""
_MAX_EXTENTS = 2000
_MAX_ASSOCIATIONS = 20_000
_COMMON_PLANES = 1.5
"""The bytes of all colour planes for a pixel of most photographs: 8 bits, and a quarter of the samples of colour."""
_MARGIN = 64
"""How far the size in a codec's header may exceed the size of the item, in pixels: encoders fill whole blocks."""
_MAX_FRAMES = 1_000_000

_TURNED_LEFT = {1: 8, 2: 5, 3: 6, 4: 7, 5: 4, 6: 1, 7: 2, 8: 3}
"""The EXIF orientation after a quarter turn to the left, by the orientation before."""
_MIRRORED = (
    {1: 4, 2: 3, 3: 2, 4: 1, 5: 8, 6: 7, 7: 6, 8: 5},
    {1: 2, 2: 1, 3: 4, 4: 3, 5: 6, 6: 5, 7: 8, 8: 7},
)
"""The EXIF orientation after mirroring top to bottom (0) or left to right (1), by the orientation before."""


class _Item(NamedTuple):
    """An item of a file."""

    type: bytes
    is_hidden: bool


class _Meta(NamedTuple):
    """The items of a file."""

    data: bytes
    primary: int
    items: dict[int, _Item]
    properties: Sequence[Box]
    associations: Mapping[int, Sequence[int]]
    """The indices of the properties of each item, from 0."""
    extents: Mapping[int, tuple[int, Sequence[tuple[int, int]]]]
    """Of each item, how its extents are addressed, and the offset and length of each; 0 means to the end."""
    references: Sequence[tuple[bytes, int, Sequence[int]]]
    """The type of each reference, the item that refers, and the items that it refers to."""
    internal: Box | None
    """The box in the header that contains items (`idat`)."""

    def properties_of(self, item: int) -> Iterator[Box]:
        """Yield the properties of an item."""
        for index in self.associations.get(item, ()):
            if 0 <= index < len(self.properties):
                yield self.properties[index]

    def property_of(self, item: int, type_: bytes) -> bytes | None:
        """Return the content of the first property of this type, or None."""
        return next((self.data[box.start : box.end] for box in self.properties_of(item) if box.type == type_), None)

    def size_of(self, item: int) -> tuple[int, int]:
        """Return the width and height of an item (`ispe`), in pixels."""
        content = self.property_of(item, b"ispe")
        if content is None or len(content) < 12:
            message = "the size of a picture is missing"
            raise ValueError(message)
        width, height = struct.unpack_from(">LL", content, 4)
        if not width or not height:
            message = "the size of a picture is 0"
            raise ValueError(message)
        return width, height

    def parts_of(self, item: int) -> Sequence[int]:
        """Return the items of which an item is composed (`dimg`)."""
        return next((targets for type_, source, targets in self.references if (type_, source) == (b"dimg", item)), ())

    def content_of(self, item: int) -> bytes:
        """Return the content of an item."""
        method, extents = self.extents.get(item, (0, ()))
        if method == 1 and self.internal is not None:
            start, end = self.internal.start, self.internal.end
        elif method == 0:
            start, end = 0, len(self.data)
        else:
            message = "an item is stored in an unknown way"
            raise ValueError(message)
        lengths = [length or end - start - offset for offset, length in extents]
        ends = [start + offset + length for (offset, _), length in zip(extents, lengths, strict=True)]
        if not lengths or min(lengths) <= 0 or max(ends) > end or sum(lengths) > len(self.data):
            message = "an item is truncated"
            raise ValueError(message)
        return b"".join(self.data[stop - length : stop] for stop, length in zip(ends, lengths, strict=True))


class _Stored(NamedTuple):
    """An item of the new file."""

    type: bytes
    properties: list[bytes]
    content: bytes
    parts: list[int]
    """The indices of the items of which it is composed."""


class _Picture(NamedTuple):
    """The primary picture or its transparency, as items of the new file; the last is the picture itself."""

    items: list[_Stored]
    codec: bytes
    bytes_per_pixel: float
    """The memory of all colour planes after decoding."""
    pixels: int
    """The most pixels whose planes are in memory, in the picture and its parts."""


def has_signature(data: bytes) -> bool:
    """Tell whether `data` begins like a HEIC or AVIF file."""
    return data[4:8] == b"ftyp" and bool(_BRANDS.intersection(_brands(data)))


def is_avif(data: bytes) -> bool:
    """Tell whether `data`, which has the signature, names a brand of AVIF."""
    return bool(_AVIF_BRANDS.intersection(_brands(data)))


def _brands(data: bytes) -> list[bytes]:
    end = min(int.from_bytes(data[:4], "big"), 16 + 4 * _MAX_BRANDS, len(data))
    return [data[8:12], *(data[at : at + 4] for at in range(16, end - 3, 4))]


def inspect(data: bytes) -> Container:
    """Parse the items of the HEIC or AVIF file `data`.

    Raises:
        ValueError, IndexError, struct.error: if the file is broken, or if its sizes contradict each other.
        UnsupportedPicture: if the picture is coded or composed in another way, or if there are only moving pictures.
        PictureTooLarge: if there are too many items.

    """
    meta = _parse_meta(data)
    primary = _primary_picture(meta)
    picture = _collect(meta, primary)
    alpha_item = _find_alpha(meta, primary)
    alpha = None if alpha_item is None else _collect(meta, alpha_item)
    if alpha is not None and alpha.codec != picture.codec:
        alpha = None
    width, height = meta.size_of(primary)
    buffers = _decoder_bytes(picture, width * height, has_alpha=alpha is not None)
    if alpha is not None:
        buffers += int(2 * alpha.bytes_per_pixel * alpha.pixels)
    left, top, right, bottom = _find_aperture(meta, primary, width, height)
    file = _build_file(picture, alpha) + build_box(b"free", struct.pack(">LLLL", left, top, right, bottom))
    return Container(right - left, bottom - top, file, buffers, _find_orientation(meta, primary))


def decode(data: bytes) -> NDArray[np.uint8]:
    """Return the pixels of a file that `inspect` has built, uint8 (h, w), (h, w, 3) RGB or (h, w, 4) RGBA.

    Raises:
        ValueError, RuntimeError, OSError: if the pixels cannot be decoded.

    """
    left, top, right, bottom = struct.unpack(">LLLL", data[-16:])
    pixels = _decode_avif(data) if is_avif(data) else _decode_heic(data)
    if pixels.shape[0] < bottom or pixels.shape[1] < right:
        message = "the picture is smaller than announced"
        raise ValueError(message)
    return pixels[top:bottom, left:right]


def count_frames(data: bytes) -> int:
    """Return how many pictures the HEIC or AVIF file `data` has: items that are shown, or frames of an animation.

    Raises what `inspect` raises.
    """
    meta = find_boxes(data, 0, len(data)).get(b"meta")
    inner = {} if meta is None else find_boxes(data, meta.start + 4, meta.end)
    items = _parse_items(data, inner[b"iinf"]) if b"iinf" in inner else {}
    references = _parse_references(data, inner[b"iref"]) if b"iref" in inner else []
    parts = {target for type_, _, targets in references if type_ == b"dimg" for target in targets}
    others = {source for type_, source, _ in references if type_ in _OF_ANOTHER}
    shown = [
        item
        for item, (type_, is_hidden) in items.items()
        if type_ in _PICTURES and not is_hidden and item not in parts | others
    ]
    moving = find_boxes(data, 0, len(data)).get(b"moov")
    return max(1, len(shown), 0 if moving is None else _count_samples(data, moving))


def _count_samples(data: bytes, moving: Box) -> int:
    """Return the number of frames in the longest track."""
    longest = 0
    for track in iterate_boxes(data, moving.start, moving.end):
        box = track if track.type == b"trak" else None
        for type_ in (b"mdia", b"minf", b"stbl", b"stsz"):
            box = None if box is None else find_boxes(data, box.start, box.end).get(type_)
        if box is not None and box.end - box.start >= 12:
            longest = max(longest, int.from_bytes(data[box.start + 8 : box.start + 12], "big"))
    return min(longest, _MAX_FRAMES)


def _decode_avif(file: bytes) -> NDArray[np.uint8]:
    # Pillow's `Image` would copy the pixels once more, which takes half as much memory again.
    decoder = _avif.AvifDecoder(file, "auto", 1)
    (width, height), _, mode, *_ = decoder.get_info()
    pixels, *_ = decoder.get_frame(0)
    return np.frombuffer(pixels, np.uint8).reshape((height, width, len(mode)) if len(mode) > 1 else (height, width))


def _decode_heic(file: bytes) -> NDArray[np.uint8]:
    import pillow_heif  # noqa: PLC0415 - takes 3 MB, which a worker saves: its processes decode these pictures

    pillow_heif.options.DECODE_THREADS = 1
    picture = pillow_heif.open_heif(file, convert_hdr_to_8bit=True, bgr_mode=False)
    return np.asarray(picture, np.uint8)


def _parse_meta(data: bytes) -> _Meta:
    boxes = find_boxes(data, 0, len(data))
    if b"meta" not in boxes:
        if b"moov" in boxes:
            message = "The file contains moving pictures and no still picture. Send one frame as a JPEG or PNG."
            raise UnsupportedPicture(message)
        message = "it contains no items"
        raise ValueError(message)
    meta = boxes[b"meta"]
    inner = find_boxes(data, meta.start + 4, meta.end)
    for name in (b"pitm", b"iinf", b"iloc", b"iprp"):
        if name not in inner:
            message = f"it has no box '{name.decode()}'"
            raise ValueError(message)
    reader = FieldReader(data, inner[b"pitm"])
    version, _ = reader.read_version()
    properties = find_boxes(data, inner[b"iprp"].start, inner[b"iprp"].end)
    container = properties.get(b"ipco")
    return _Meta(
        data,
        reader.read(4 if version else 2),
        _parse_items(data, inner[b"iinf"]),
        [] if container is None else list(iterate_boxes(data, container.start, container.end)),
        _parse_associations(data, inner[b"iprp"]),
        _parse_extents(data, inner[b"iloc"]),
        _parse_references(data, inner[b"iref"]) if b"iref" in inner else [],
        inner.get(b"idat"),
    )


def _parse_items(data: bytes, box: Box) -> dict[int, _Item]:
    version = data[box.start]
    items: dict[int, _Item] = {}
    for entry in iterate_boxes(data, box.start + (8 if version else 6), box.end):
        reader = FieldReader(data, entry)
        version, flags = reader.read_version()
        if version >= 2:
            number = reader.read(4 if version == 3 else 2)
            type_ = data[reader.offset + 2 : min(reader.offset + 6, entry.end)]
            items.setdefault(number, _Item(type_, bool(flags & 1)))
        check_count(len(items), _MAX_ITEMS, "items")
    return items


def _parse_associations(data: bytes, box: Box) -> dict[int, list[int]]:
    """Return the indices of the properties of each item, from all boxes `ipma`."""
    associations: dict[int, list[int]] = {}
    total = 0
    for entry in iterate_boxes(data, box.start, box.end):
        if entry.type != b"ipma":
            continue
        reader = FieldReader(data, entry)
        version, flags = reader.read_version()
        size = 2 if flags & 1 else 1
        for _ in range(reader.read(4)):
            item = reader.read(4 if version else 2)
            count = reader.read(1)
            check_count(total := total + 1 + count, _MAX_ASSOCIATIONS, "properties of items")
            indices = [(reader.read(size) & (0x7FFF if size == 2 else 0x7F)) - 1 for _ in range(count)]
            associations.setdefault(item, indices)
    return associations


def _parse_extents(data: bytes, box: Box) -> dict[int, tuple[int, list[tuple[int, int]]]]:
    reader = FieldReader(data, box)
    version, _ = reader.read_version()
    sizes = reader.read(2)
    offset_size, length_size, base_size, index_size = (sizes >> shift & 0xF for shift in (12, 8, 4, 0))
    locations: dict[int, tuple[int, list[tuple[int, int]]]] = {}
    total = 0
    for _ in range(reader.read(4 if version == 2 else 2)):
        item = reader.read(4 if version == 2 else 2)
        method = reader.read(2) & 0xF if version else 0
        reader.read(2)
        base = reader.read(base_size)
        count = reader.read(2)
        check_count(total := total + 1 + count, _MAX_ITEMS + _MAX_EXTENTS, "pieces of items")
        extents = []
        for _ in range(count):
            reader.read(index_size if version else 0)
            extents.append((base + reader.read(offset_size), reader.read(length_size)))
        locations.setdefault(item, (method, extents))
    return locations


def _parse_references(data: bytes, box: Box) -> list[tuple[bytes, int, list[int]]]:
    size = 4 if data[box.start] else 2
    references, total = [], 0
    for entry in iterate_boxes(data, box.start + 4, box.end):
        reader = FieldReader(data, entry)
        source, count = reader.read(size), reader.read(2)
        check_count(total := total + 1 + count, _MAX_ASSOCIATIONS, "references")
        references.append((entry.type, source, [reader.read(size) for _ in range(count)]))
    return references


def _primary_picture(meta: _Meta) -> int:
    """Return the primary picture; of one with a gain map for bright screens, the picture without it."""
    primary = meta.primary
    item = meta.items.get(primary)
    if item is not None and item.type == _TONE_MAP and meta.parts_of(primary):
        return meta.parts_of(primary)[0]
    return primary


def _find_alpha(meta: _Meta, picture: int) -> int | None:
    """Return the item with the transparency of a picture, or None."""
    for type_, source, targets in meta.references:
        if type_ == b"auxl" and picture in targets:
            kind = meta.property_of(source, b"auxC")
            if kind is not None and kind[4:].startswith(_ALPHA):
                return source
    return None


def _collect(meta: _Meta, item: int) -> _Picture:
    """Collect a picture, coded itself or a grid of coded parts, and check that its sizes agree."""
    found = meta.items.get(item)
    if found is None:
        message = "its primary picture is missing"
        raise ValueError(message)
    if found.type != _GRID:
        stored, coded = _collect_coded(meta, item)
        return _Picture([stored], found.type, coded.bytes_per_pixel, coded.width * coded.height)
    parts = meta.parts_of(item)
    content = meta.content_of(item)
    rows, columns = content[2] + 1, content[3] + 1
    width, height = meta.size_of(item)
    if (
        len(parts) != rows * columns
        or item in parts
        or struct.unpack_from(">LL" if content[1] & 1 else ">HH", content, 4) != (width, height)
    ):
        message = "its grid does not have the announced size"
        raise ValueError(message)
    collected = [_collect_coded(meta, part) for part in _without_overlap(meta, parts)]
    codec = collected[0][0].type
    tile = meta.size_of(parts[0])
    if any(
        stored.type != codec or meta.size_of(part) != tile for part, (stored, _) in zip(parts, collected, strict=True)
    ):
        message = "the parts of its grid differ"
        raise ValueError(message)
    if not (tile[0] * (columns - 1) < width <= tile[0] * columns and tile[1] * (rows - 1) < height <= tile[1] * rows):
        message = "the parts of its grid do not cover it"
        raise ValueError(message)
    grid = _Stored(_GRID, _kept_properties(meta, item), content, list(range(len(parts))))
    return _Picture(
        [*(stored for stored, _ in collected), grid],
        codec,
        max(coded.bytes_per_pixel for _, coded in collected),
        width * height + _pixels_of_parts(codec, [coded for _, coded in collected]),
    )


def _pixels_of_parts(codec: bytes, parts: Sequence[CodedPicture]) -> int:
    """Return how many pixels of the parts of a grid are in memory: libheif frees each, and libavif keeps all."""
    pixels = [part.width * part.height for part in parts]
    return sum(pixels) if codec == _AV1 else max(pixels)


def _without_overlap(meta: _Meta, parts: Sequence[int]) -> Sequence[int]:
    """Return the parts of a grid, unless they share content: a small file could then be decoded many times."""
    extents = (extent for part in parts for extent in meta.extents.get(part, (0, ()))[1])
    lengths = (length or len(meta.data) for _, length in extents)
    if len(set(parts)) < len(parts) or sum(lengths) > len(meta.data):
        message = "the parts of its grid overlap"
        raise ValueError(message)
    return parts


def _collect_coded(meta: _Meta, item: int) -> tuple[_Stored, CodedPicture]:
    """Return a coded item and the size in its codec's header, which may not be far from that of the item."""
    found = meta.items.get(item)
    if found is None or found.type not in _CODEC_PROPERTY:
        kind = "nothing" if found is None else repr(found.type.decode("latin-1"))
        message = (
            f"The HEIF file contains a picture of the type {kind}, which is not supported. Expected HEVC (HEIC) or AV1 "
            "(AVIF), whole or in a grid. Save it as a JPEG or PNG."
        )
        raise UnsupportedPicture(message)
    content = meta.content_of(item)
    configuration = meta.property_of(item, _CODEC_PROPERTY[found.type])
    if configuration is None:
        message = "the configuration of its decoder is missing"
        raise ValueError(message)
    coded = hevc.find_coded_picture(configuration, content) if found.type == _HEVC else av1.find_coded_picture(content)
    width, height = meta.size_of(item)
    if not (0 <= coded.width - width <= _MARGIN and 0 <= coded.height - height <= _MARGIN):
        message = f"its codec announces {coded.width} x {coded.height} pixels instead of {width} x {height}"
        raise ValueError(message)
    return _Stored(found.type, _kept_properties(meta, item), content, []), coded


def _kept_properties(meta: _Meta, item: int) -> list[bytes]:
    kept = []
    for box in meta.properties_of(item):
        content = meta.data[box.start : box.end]
        if box.type in _CODED_PROPERTIES or (box.type == b"colr" and content.startswith(b"nclx")):
            kept.append(build_box(box.type, content))
    return kept


def _decoder_bytes(picture: _Picture, pixels: int, *, has_alpha: bool) -> int:
    """Return the most memory that the decoder was measured to allocate, with the pixels that it returns, in bytes."""
    channels = 4 if has_alpha else 3
    planes = picture.bytes_per_pixel
    if picture.codec == _AV1:  # a copy of the pixels
        planes, channels = planes + 0.6, 2 * channels
    elif planes > _COMMON_PLANES:  # a copy of the planes with fewer bits
        planes *= 2
    return int((planes + 0.25) * picture.pixels) + channels * pixels


def _find_aperture(meta: _Meta, item: int, width: int, height: int) -> tuple[int, int, int, int]:
    """Return the left, top, right and bottom of the part of a picture that is shown (`clap`)."""
    content = meta.property_of(item, b"clap")
    whole = 0, 0, width, height
    if content is None or len(content) < 32:
        return whole
    numbers = struct.unpack_from(">LLLLlLlL", content)
    if 0 in numbers[1::2]:
        return whole
    shown_width, shown_height, left, top = (Fraction(numbers[at], numbers[at + 1]) for at in (0, 2, 4, 6))
    left += (width - shown_width) / 2
    top += (height - shown_height) / 2
    box = int(left), int(top), int(left + shown_width), int(top + shown_height)
    return box if 0 <= box[0] < box[2] <= width and 0 <= box[1] < box[3] <= height else whole


def _find_orientation(meta: _Meta, item: int) -> int:
    """Return the EXIF orientation with the effect of the properties for rotating and mirroring, in their order."""
    orientation = 1
    for box in meta.properties_of(item):
        value = meta.data[box.start] if box.start < box.end else 0
        if box.type == b"irot":
            for _ in range(value & 3):
                orientation = _TURNED_LEFT[orientation]
        elif box.type == b"imir":
            orientation = _MIRRORED[value & 1][orientation]
    return orientation


def _build_file(picture: _Picture, alpha: _Picture | None) -> bytes:
    """Return a file with a picture and its transparency, and nothing else."""
    items = [*picture.items, *(alpha.items if alpha else [])]
    primary = len(picture.items)
    properties: dict[bytes, int] = {}  # the number of each property, from 1
    associations, references, locations = [], [], []
    offset = 0
    for number, item in enumerate(items, 1):
        first = 1 if number <= primary else primary + 1
        numbers = [properties.setdefault(each, len(properties) + 1) for each in item.properties]
        associations.append(struct.pack(f">HB{len(numbers)}H", number, len(numbers), *numbers))
        locations.append((number, offset, len(item.content)))
        offset += len(item.content)
        if item.parts:
            parts = [first + part for part in item.parts]
            references.append(build_box(b"dimg", struct.pack(f">HH{len(parts)}H", number, len(parts), *parts)))
    if alpha:
        references.append(build_box(b"auxl", struct.pack(">HHH", len(items), 1, primary)))
    entries = [
        build_box(b"infe", struct.pack(">BxxxHH4sB", 2, number, 0, item.type, 0))
        for number, item in enumerate(items, 1)
    ]
    brand = _BRAND[picture.codec]
    file_type = build_box(b"ftyp", brand, bytes(4), b"mif1", brand, b"miaf")
    before = build_box(b"hdlr", bytes(8), b"pict", bytes(13)) + build_box(b"pitm", struct.pack(">LH", 0, primary))
    after = b"".join((
        build_box(b"iinf", struct.pack(">LH", 0, len(items)), *entries),
        build_box(b"iref", bytes(4), *references) if references else b"",
        build_box(
            b"iprp",
            build_box(b"ipco", *properties),
            build_box(b"ipma", struct.pack(">LL", 1, len(items)), *associations),
        ),
    ))  # fmt: skip
    location_bytes = 8 + 8 + 14 * len(items)
    content_start = len(file_type) + 8 + 4 + len(before) + location_bytes + len(after) + 8
    location = build_box(
        b"iloc",
        struct.pack(">LBBH", 0, 0x44, 0, len(items)),
        *(struct.pack(">HHHLL", number, 0, 1, content_start + at, length) for number, at, length in locations),
    )
    meta = build_box(b"meta", bytes(4), before, location, after)
    return file_type + meta + build_box(b"mdat", *(item.content for item in items))
