"""Small picture files that announce large pictures, or contain many parts. They are made in code. Knows no HTTP.

Each function returns one file. None is larger than 8 MB, the default of MAX_BODY_BYTES.
"""

import io
import struct
import zlib
from collections.abc import Callable, Iterable, Mapping

import numpy as np
from PIL import Image

LIMIT = 8 * 1024**2 - 1024
_LARGE = (4096, 5859)
"""Width and height of just under 24 million pixels, the default of MAX_PIXELS."""


def _fill(start: bytes, unit: bytes, end: bytes = b"", *, size: int = LIMIT) -> bytes:
    """Repeat `unit` between `start` and `end` until the file is as large as it may be."""
    return start + unit * ((size - len(start) - len(end)) // len(unit)) + end


def _noise(height: int, width: int, levels: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    values = np.random.default_rng(1).integers(0, levels, (height, width), np.uint8)
    return (values * (255 // (levels - 1))).astype(np.uint8)


def _saved(image: Image.Image, format_: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format_, **options)
    return file.getvalue()


# JPEG (ITU-T T.81)


def _jpeg_start(width: int, height: int, components: int, *, frame: int = 0xC2) -> bytes:
    """Return all of a JPEG file in front of its first scan; `frame` is SOF2, progressive, or SOF0, baseline."""
    tables = b"\xff\xdb\x00\x43\x00" + b"\x01" * 64
    parts = b"".join(bytes((number, 0x11, 0)) for number in range(1, components + 1))
    header = struct.pack(">BHHB", 8, height, width, components) + parts
    codes = bytes((0, 1)) + bytes(14)  # one code of two bits
    huffman = b"".join(bytes((class_,)) + codes + b"\x00" for class_ in (0x00, 0x10))
    return b"".join(
        (
            b"\xff\xd8",
            tables,
            b"\xff" + bytes((frame,)) + struct.pack(">H", len(header) + 2) + header,
            b"\xff\xc4" + struct.pack(">H", len(huffman) + 2) + huffman,
        )
    )


def _first_scan(components: int) -> bytes:
    """Return a progressive scan of the first coefficient of each block, without any data."""
    parts = b"".join(bytes((number, 0)) for number in range(1, components + 1))
    return b"\xff\xda" + struct.pack(">HB", 6 + 2 * components, components) + parts + b"\x00\x00\x00"


def _empty_scan(component: int) -> bytes:
    """Return a progressive scan of the other coefficients, without any data."""
    return b"\xff\xda\x00\x08\x01" + bytes((component, 0, 1, 0x3F, 0))


_JPEG_END = b"\xff\xd9"


def jpeg_empty_scans(count: int = 79, size: tuple[int, int] = _LARGE, components: int = 4) -> bytes:
    """Many scans over all of a large picture, 10 bytes each."""
    scans = b"".join(_empty_scan(1 + number % components) for number in range(count))
    return _jpeg_start(*size, components) + _first_scan(components) + scans + _JPEG_END


def jpeg_scans_without_end() -> bytes:
    """As many scans as fit."""
    return _fill(_jpeg_start(*_LARGE, 4) + _first_scan(4), _empty_scan(1), _JPEG_END)


def jpeg_small_with_scans_without_end() -> bytes:
    """The same of a small picture: each scan costs little, and there are 800,000."""
    return _fill(_jpeg_start(28, 28, 1) + _first_scan(1), _empty_scan(1), _JPEG_END)


def jpeg_header_alone() -> bytes:
    """A large progressive picture that ends after its first scan's header: 150 bytes."""
    return _jpeg_start(*_LARGE, 4) + _first_scan(4)


def jpeg_baseline_header_alone() -> bytes:
    """A large baseline picture without data."""
    return _jpeg_start(*_LARGE, 4, frame=0xC0) + _first_scan(4)[:-3] + b"\x00\x3f\x00" + _JPEG_END


def jpeg_lopsided() -> bytes:
    """A picture as wide as the format allows, and a few hundred high."""
    return jpeg_empty_scans(20, (65_500, 366))


def jpeg_claims_most() -> bytes:
    """65,500 x 65,500 pixels by its header."""
    return _jpeg_start(65_500, 65_500, 3) + _first_scan(3) + _JPEG_END


def _small_jpeg() -> bytes:
    return _saved(Image.new("L", (28, 28), 255), "JPEG")


def _jpeg_segments(segment: bytes) -> bytes:
    whole = _small_jpeg()
    return _fill(whole[:2], segment, whole[2:])


def jpeg_comments() -> bytes:
    """Two million empty comments in front of a small picture."""
    return _jpeg_segments(b"\xff\xfe\x00\x02")


def jpeg_application_segments() -> bytes:
    """Two million empty APP1 segments."""
    return _jpeg_segments(b"\xff\xe1\x00\x02")


def jpeg_huffman_tables() -> bytes:
    """The same Huffman table four hundred thousand times."""
    return _jpeg_segments(b"\xff\xc4\x00\x14\x00" + bytes((0, 1)) + bytes(14) + b"\x00")


def jpeg_icc_segments() -> bytes:
    """Hundreds of thousands of parts of a colour profile."""
    return _jpeg_segments(b"\xff\xe2\x00\x10ICC_PROFILE\x00\x01\xff")


def _exif(entries: int, *, of_type: int = 7, count: int = 1, pointer: int = 0x8769) -> bytes:
    fields = struct.pack("<HHII", pointer, of_type, count, 8) * entries
    return b"Exif\x00\x00II*\x00" + struct.pack("<IH", 8, entries) + fields + bytes(4)


def jpeg_exif() -> bytes:
    """Eight thousand EXIF segments, each of which points to its own directory."""
    body = _exif(80)
    return _jpeg_segments(b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body)


def jpeg_multi_picture() -> bytes:
    """An index of pictures that claims two hundred million."""
    index = b"MPF\x00II*\x00" + struct.pack("<IH", 8, 2)
    index += struct.pack("<HHII", 0xB001, 4, 1, 200_000_000) + struct.pack("<HHII", 0xB002, 7, 3_200_000_000, 50)
    whole = _small_jpeg()
    return whole[:2] + b"\xff\xe2" + struct.pack(">H", len(index) + 6) + index + bytes(4) + whole[2:]


# PNG (ISO/IEC 15948)


def _chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(
    size: tuple[int, int], data: Iterable[bytes], *, depth: int = 8, colour: int = 0, interlaced: bool = False
) -> bytes:
    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, interlaced)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + b"".join(data) + _chunk(b"IEND")


def _plain_data(width: int, height: int, bits: int = 8) -> bytes:
    """Return the zlib stream of a picture of zeros."""
    return zlib.compress(bytes((1 + (width * bits + 7) // 8) * height), 9)


_SMALL_DATA = _chunk(b"IDAT", _plain_data(28, 28))
_MEGABYTE = zlib.compress(bytes(1_000_000), 9)


def png_texts(count: int = 25, size: int = 28) -> bytes:
    """Compressed texts of a megabyte each, a thousandth of that in the file."""
    texts = (_chunk(b"zTXt", b"k%d\x00\x00" % number + _MEGABYTE) for number in range(count))
    return _png((size, size), (*texts, _chunk(b"IDAT", _plain_data(size, size))))


def png_many_texts() -> bytes:
    """As many of them as fit."""
    return png_texts(LIMIT // 1100)


def png_international_texts() -> bytes:
    """Compressed iTXt behind the picture."""
    texts = [_chunk(b"iTXt", b"k\x00\x01\x00\x00\x00" + _MEGABYTE)] * 25
    return _png((28, 28), (_SMALL_DATA, *texts))


def png_profiles() -> bytes:
    """Colour profiles of a megabyte each."""
    return _png((28, 28), (*[_chunk(b"iCCP", b"p\x00\x00" + _MEGABYTE)] * 25, _SMALL_DATA))


def png_empty_chunks(kind: bytes = b"tEXt") -> bytes:
    """As many chunks without content as fit."""
    start = _png((28, 28), ())[:33]
    return _fill(start, _chunk(kind, b"a\x00"), _SMALL_DATA + _chunk(b"IEND"))


def png_unknown_chunks() -> bytes:
    """The same with a chunk that no reader knows."""
    return png_empty_chunks(b"abCd")


def png_data_in_empty_chunks() -> bytes:
    """Hundreds of thousands of empty IDAT chunks in front of the one with data."""
    return _fill(_png((28, 28), ())[:33], _chunk(b"IDAT"), _SMALL_DATA + _chunk(b"IEND"))


def png_cheap_with_empty_chunks() -> bytes:
    """As many empty IDAT chunks as fit in 30 kB: the file is small enough to seem cheap to decode."""
    return _fill(_png((28, 28), ())[:33], _chunk(b"IDAT"), _SMALL_DATA + _chunk(b"IEND"), size=30_000)


def png_noise(depth: int = 2, side: int = 320, *, interlaced: bool = False) -> bytes:
    """Noise of one or two bits a pixel: a small file with as many components as there can be."""
    row = 1 + side * depth // 8
    rows = np.random.default_rng(2).integers(0, 256, (side * (2 if interlaced else 1), row), np.uint8)
    rows[:, 0] = 0
    return _png((side, side), [_chunk(b"IDAT", zlib.compress(rows.tobytes()))], depth=depth, interlaced=interlaced)


def png_noise_one_bit() -> bytes:
    """The same with one bit."""
    return png_noise(1)


def png_noise_interlaced() -> bytes:
    """The same in seven passes."""
    return png_noise(1, interlaced=True)


def png_grid() -> bytes:
    """Single dots, each a component of its own, in 600 bytes."""
    image = np.zeros((320, 320), np.uint8)
    image[::2, ::2] = 255
    return _saved(Image.fromarray(image), "PNG", optimize=True)


def png_sixteen_bits() -> bytes:
    """24 million pixels of eight bytes each: 192 MB from 190 kB."""
    return _png(_LARGE, [_chunk(b"IDAT", _plain_data(*_LARGE, 64))], depth=16, colour=6)


def png_interlaced_large() -> bytes:
    """24 million pixels in seven passes."""
    width, height = _LARGE
    data = zlib.compress(bytes((width * 4 + 16) * height), 9)
    return _png(_LARGE, [_chunk(b"IDAT", data)], colour=6, interlaced=True)


def png_one_row() -> bytes:
    """A picture of one row of 24 million pixels."""
    return _png((24_000_000, 1), [_chunk(b"IDAT", _plain_data(24_000_000, 1))])


def png_one_column() -> bytes:
    """A picture of 24 million rows of one pixel."""
    return _png((1, 24_000_000), [_chunk(b"IDAT", _plain_data(1, 24_000_000))])


def png_animated() -> bytes:
    """An animation that claims two thousand million frames, and has the headers of 200,000."""
    control = _chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0))
    frame = _chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 28, 28, 0, 0, 1, 1, 0, 0))
    return _fill(_png((28, 28), ())[:33] + control, frame, _SMALL_DATA + _chunk(b"IEND"))


# GIF


def _gif(
    width: int, height: int, *, frame: tuple[int, int] | None = None, data: bytes = b"\x02\x02\x44\x01\x00"
) -> bytes:
    start = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\x00\x00\x00\xff\xff\xff"
    return start + _gif_frame(*(frame or (width, height)), data=data)


def _gif_frame(width: int, height: int, *, data: bytes = b"\x02\x02\x44\x01\x00") -> bytes:
    return b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + data


_GIF_HEAD = 19


def gif_comments() -> bytes:
    """Two and a half million empty comments."""
    whole = _gif(1, 1)
    return _fill(whole[:_GIF_HEAD], b"!\xfe\x00", whole[_GIF_HEAD:] + b";")


def gif_one_comment() -> bytes:
    """A comment of millions of one-byte pieces, which a reader puts together."""
    whole = _gif(1, 1)
    return _fill(whole[:_GIF_HEAD] + b"!\xfe", b"\x01a", b"\x00" + whole[_GIF_HEAD:] + b";")


def gif_frames() -> bytes:
    """Half a million frames."""
    return _fill(_gif(1, 1), _gif_frame(1, 1), b";")


def gif_frame_beyond_its_screen() -> bytes:
    """A screen of 28 x 28, and on it a frame of 65,535 x 65,535."""
    return _gif(28, 28, frame=(65_535, 65_535)) + b";"


def gif_large() -> bytes:
    """24 million pixels of one colour."""
    return _saved(Image.new("P", _LARGE, 0), "GIF")


def gif_data_in_pieces() -> bytes:
    """A frame whose data comes in millions of pieces of one byte."""
    start = _gif(4096, 4096)[:-4]
    return _fill(start, b"\x01\x00", b"\x00;")


# BMP


def _bmp(width: int, height: int, bits: int, compression: int, data: bytes, *, colours: int = 0) -> bytes:
    palette = 4 * (colours or (2**bits if bits <= 8 else 0))
    offset = 54 + palette
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(data), 0, 0, colours, 0)
    return b"BM" + struct.pack("<IHHI", offset + len(data), 0, 0, offset) + header + bytes(palette) + data


def bmp_runs() -> bytes:
    """24 million pixels from runs of 255, in 190 kB."""
    return _bmp(*_LARGE, 8, 1, b"\xff\x00" * (24_000_000 // 255) + b"\x00\x01")


def bmp_nothing_but_an_end() -> bytes:
    """24 million pixels from a mark of the end of the picture."""
    return _bmp(*_LARGE, 8, 1, b"\x00\x01")


def bmp_line_ends() -> bytes:
    """Four million ends of lines, and as many jumps."""
    return _fill(_bmp(28, 28, 8, 1, b""), b"\x00\x00\x00\x02\x00\x00", b"\x00\x01")


def bmp_palette() -> bytes:
    """A palette that claims four thousand million colours."""
    whole = bytearray(_bmp(28, 28, 8, 0, bytes(28 * 28)))
    whole[46:50] = b"\xff\xff\xff\xff"
    return bytes(whole)


# TIFF 6.0


def _tiff(tags: Mapping[int, tuple[int, tuple[int, ...]]], data: bytes = b"") -> bytes:
    """Put a file together: its header, `data` at byte 8, then one directory of `tags`, each a type and its values."""
    formats = {1: "B", 3: "H", 4: "I", 5: "II", 12: "d"}
    at = 8 + len(data)
    extra_at = at + 2 + 12 * len(tags) + 4
    entries, extra = b"", b""
    for tag, (type_, values) in sorted(tags.items()):
        raw = b"".join(struct.pack("<" + formats[type_], value) for value in values)
        if len(raw) > 4:
            entries += struct.pack("<HHII", tag, type_, len(values), extra_at + len(extra))
            extra += raw
        else:
            entries += struct.pack("<HHI", tag, type_, len(values)) + raw.ljust(4, b"\0")
    return b"II*\x00" + struct.pack("<I", at) + data + struct.pack("<H", len(tags)) + entries + bytes(4) + extra


def _image_tags(
    width: int, height: int, *, bits: int = 8, compression: int = 1, samples: int = 1
) -> dict[int, tuple[int, tuple[int, ...]]]:
    return {
        256: (4, (width,)),
        257: (4, (height,)),
        258: (3, (bits,) * samples),
        259: (3, (compression,)),
        262: (3, (1 if samples == 1 else 2,)),
        277: (3, (samples,)),
    }


def _zeros(count: int) -> bytes:
    """Return a zlib stream of that many zeros; made of one piece over and over, as compressing gigabytes takes long."""
    piece_size = 16 * 1024**2
    packer = zlib.compressobj(9)
    start = packer.compress(b"") + packer.flush(zlib.Z_FULL_FLUSH)
    piece = packer.compress(bytes(piece_size)) + packer.flush(zlib.Z_FULL_FLUSH)
    return start + piece * -(-count // piece_size) + packer.flush()


def tiff_tile(side: int = 46_336) -> bytes:
    """28 x 28 pixels in one tile, whose buffer is `side` squared: 2.1 GB from 2 MB."""
    data = _zeros(side * side)
    tile = {322: (4, (side,)), 323: (4, (side,)), 324: (4, (8,)), 325: (4, (len(data),))}
    return _tiff(_image_tags(28, 28, compression=8) | tile, data)


def tiff_smaller_tile() -> bytes:
    """The same with a tile of 0.4 GB."""
    return tiff_tile(20_000)


def tiff_tile_of_runs() -> bytes:
    """A tile of 30,000 squared without any data for it, in PackBits."""
    tile = {322: (4, (30_000,)), 323: (4, (30_000,)), 324: (4, (8,)), 325: (4, (2000,))}
    return _tiff(_image_tags(28, 28, compression=32773) | tile, b"\x81\x00" * 1000)


def _strip(tags: Mapping[int, tuple[int, tuple[int, ...]]], data: bytes, rows: int) -> bytes:
    return _tiff({**tags, 273: (4, (8,)), 278: (4, (rows,)), 279: (4, (len(data),))}, data)


def tiff_strip_claims_most() -> bytes:
    """One strip that claims four thousand million rows."""
    return _strip(_image_tags(28, 28, compression=8), _zeros(16 * 1024**2), 2**32 - 1)


def tiff_large_floats() -> bytes:
    """24 million pixels of 32 bits each, from 100 kB."""
    tags = _image_tags(*_LARGE, bits=32, compression=8) | {339: (3, (3,))}
    return _strip(tags, _zeros(_LARGE[0] * _LARGE[1] * 4), _LARGE[1])


def tiff_sixteen_bits_of_four() -> bytes:
    """24 million pixels of four samples of 16 bits each, 192 MB in one strip."""
    return _strip(_image_tags(*_LARGE, bits=16, compression=8, samples=4), _zeros(_LARGE[0] * _LARGE[1] * 8), _LARGE[1])


def tiff_planes() -> bytes:
    """Planes of samples beside each other, 24 million pixels each."""
    width, height = _LARGE
    data = _zeros(width * height)
    tags = _image_tags(width, height, compression=8, samples=4) | {
        273: (4, (8,) * 4),
        278: (4, (height,)),
        279: (4, (len(data),) * 4),
        284: (3, (2,)),
    }
    return _tiff(tags, data)


def tiff_samples() -> bytes:
    """65,535 samples a pixel."""
    return _strip(_image_tags(28, 28) | {277: (3, (65_535,))}, bytes(28 * 28), 28)


def tiff_fax() -> bytes:
    """24 million pixels in the coding of fax machines, without data."""
    return _strip(_image_tags(*_LARGE, bits=1, compression=4), bytes(2000), _LARGE[1])


def tiff_directory() -> bytes:
    """A directory of 65,535 entries, each of which claims millions of values."""
    entries = b"".join(struct.pack("<HHII", number, 12, 200_000_000, 8) for number in range(65_535))
    return b"II*\x00" + struct.pack("<IH", 8, 65_535) + entries + bytes(4)


def tiff_directories() -> bytes:
    """Over a million directories, each of which names the next."""
    count = LIMIT // 6 - 10
    return b"II*\x00\x08\x00\x00\x00" + b"".join(struct.pack("<HI", 0, 14 + 6 * number) for number in range(count))


def tiff_circle() -> bytes:
    """A directory that is its own next."""
    return b"II*\x00\x08\x00\x00\x00\x00\x00\x08\x00\x00\x00"


def tiff_strips() -> bytes:
    """A million strips for a picture of 28 rows."""
    count = 1_000_000
    tags = _image_tags(28, 28) | {273: (4, (8,) * count), 278: (4, (1,)), 279: (4, (28,) * count)}
    return _tiff(tags, bytes(28))


# WebP


def _riff(chunks: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks


def _webp_chunk(kind: bytes, data: bytes) -> bytes:
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def _webp_canvas(width: int, height: int, flags: int) -> bytes:
    sides = b"".join(struct.pack("<I", side - 1)[:3] for side in (width, height))
    return _webp_chunk(b"VP8X", bytes((flags, 0, 0, 0)) + sides)


def _webp_frame() -> bytes:
    picture = _saved(Image.new("RGB", (4, 4)), "WEBP", lossless=True)[12:]
    return _webp_chunk(b"ANMF", bytes(6) + b"\x03\0\0\x03\0\0" + bytes(4) + picture)


def webp_large() -> bytes:
    """24 million pixels of one colour, in a few hundred bytes."""
    return _saved(Image.new("RGB", (16_383, 1464)), "WEBP", lossless=True, method=0)


def webp_canvas() -> bytes:
    """An animation of 4 x 4 pixels on a canvas of 24 million."""
    return _riff(_webp_canvas(*_LARGE, 0x02) + _webp_chunk(b"ANIM", bytes(6)) + _webp_frame())


def webp_canvas_claims_most() -> bytes:
    """A canvas of 16,777,216 squared."""
    return _riff(_webp_canvas(2**24, 2**24, 0x02) + _webp_chunk(b"ANIM", bytes(6)) + _webp_frame())


def webp_frames() -> bytes:
    """A hundred thousand frames."""
    start = _webp_canvas(4, 4, 0x02) + _webp_chunk(b"ANIM", bytes(6))
    return _riff(_fill(start, _webp_frame(), size=LIMIT - 12))


def webp_chunks() -> bytes:
    """A million chunks of no content."""
    picture = _saved(Image.new("RGB", (28, 28)), "WEBP", lossless=True)[12:]
    return _riff(_fill(_webp_canvas(28, 28, 0), b"abcd\0\0\0\0", picture, size=LIMIT - 12))


# HEIC and AVIF (ISO/IEC 23008-12)


def _box(kind: bytes, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I", 8 + len(content)) + kind + content


def _avif(width: int, height: int) -> bytes:
    return _saved(Image.new("RGB", (width, height), (200, 200, 200)), "AVIF", speed=10, quality=10)


def _announce(data: bytes, width: int, height: int) -> bytes:
    """Change the size of the items, but not the one in the header of the codec."""
    at = data.index(b"ispe") + 8
    return data[:at] + struct.pack(">II", width, height) + data[at + 8 :]


def avif_large() -> bytes:
    """24 million pixels of one colour, in a few kilobytes."""
    return _avif(*_LARGE)


def avif_that_announces_little() -> bytes:
    """16 million pixels, announced as 28 x 28."""
    return _announce(_avif(4096, 4096), 28, 28)


def avif_that_announces_most() -> bytes:
    """28 x 28 pixels, announced as four billion squared."""
    return _announce(_avif(28, 28), 2**32 - 1, 2**32 - 1)


def avif_frames() -> bytes:
    """A picture whose data is repeated until it fills the file: each copy is another frame."""
    whole = _avif(2000, 2000)
    start = whole.index(b"mdat") + 4
    length = struct.pack(">I", len(whole) - start)
    repeated = whole[start:] * ((LIMIT - start) // (len(whole) - start))
    longer = whole[:start].replace(length, struct.pack(">I", len(repeated)))
    return longer.replace(struct.pack(">I", 8 + len(whole) - start) + b"mdat", bytes(4) + b"mdat") + repeated


def heic_boxes() -> bytes:
    """A million empty boxes."""
    return _fill(_box(b"ftyp", b"heic", bytes(4), b"mif1"), _box(b"free"))


def heic_items() -> bytes:
    """Four hundred thousand items that do not exist."""
    item = _box(b"infe", struct.pack(">BxxxHH4sB", 2, 1, 0, b"hvc1", 0))
    items = _fill(struct.pack(">BxxxI", 1, 2**31), item, size=LIMIT - 200)
    header = _box(b"pitm", bytes(6)) + _box(b"iloc", bytes(8)) + _box(b"iprp", _box(b"ipco"))
    return _box(b"ftyp", b"heic", bytes(4), b"mif1") + _box(b"meta", bytes(4), header, _box(b"iinf", items))


# Netpbm


def pgm_comments(size: int = LIMIT) -> bytes:
    """Nothing but empty comments where the numbers should be."""
    return _fill(b"P2 28 28 255\n", b"#\n", size=size)


def pgm_comments_in_header() -> bytes:
    """The same in front of the size."""
    return _fill(b"P5\n", b"#\n", b"28 28 255\n" + bytes(28 * 28))


def pgm_one_comment() -> bytes:
    """One comment of 8 MB."""
    return _fill(b"P5\n#", b"a", b"\n28 28 255\n" + bytes(28 * 28))


def pgm_spaces() -> bytes:
    """Nothing but blanks where the numbers should be."""
    return _fill(b"P2 28 28 255", b" ")


def pgm_zeros() -> bytes:
    """One number of eight million digits."""
    return _fill(b"P2 28 28 255 ", b"0")


def pgm_numbers() -> bytes:
    """Four million plain numbers."""
    return _fill(b"P2 2000 2000 255\n", b"0 ")


def pbm_bits() -> bytes:
    """Eight million plain bits."""
    return _fill(b"P1 2896 2880\n", b"0")


def ppm_sixteen_bits() -> bytes:
    """Pixels of six bytes."""
    return _fill(b"P6 1180 1180 65535\n", b"\0")


def pnm_cut_short() -> bytes:
    """24 million pixels by its header, and none behind it."""
    return b"P6 %d %d 255\n" % _LARGE


# What costs after decoding


def noise_jpeg() -> bytes:
    """A picture of noise, of the size at which pictures are no more reduced."""
    return _saved(Image.fromarray(_noise(760, 760, 2)), "JPEG", quality=60)


def noise_large() -> bytes:
    """Six megapixels of noise."""
    return _saved(Image.fromarray(_noise(2000, 3000, 2)), "JPEG", quality=20)


PICTURES: Mapping[str, Callable[[], bytes]] = {
    function.__name__.replace("_", "-"): function
    for function in (
        jpeg_empty_scans,
        jpeg_header_alone,
        jpeg_baseline_header_alone,
        jpeg_lopsided,
        jpeg_claims_most,
        jpeg_scans_without_end,
        jpeg_small_with_scans_without_end,
        jpeg_comments,
        jpeg_application_segments,
        jpeg_huffman_tables,
        jpeg_icc_segments,
        jpeg_exif,
        jpeg_multi_picture,
        png_texts,
        png_many_texts,
        png_international_texts,
        png_profiles,
        png_empty_chunks,
        png_unknown_chunks,
        png_data_in_empty_chunks,
        png_cheap_with_empty_chunks,
        png_noise,
        png_noise_one_bit,
        png_noise_interlaced,
        png_grid,
        png_sixteen_bits,
        png_interlaced_large,
        png_one_row,
        png_one_column,
        png_animated,
        gif_comments,
        gif_one_comment,
        gif_frames,
        gif_frame_beyond_its_screen,
        gif_large,
        gif_data_in_pieces,
        bmp_runs,
        bmp_nothing_but_an_end,
        bmp_line_ends,
        bmp_palette,
        tiff_tile,
        tiff_smaller_tile,
        tiff_tile_of_runs,
        tiff_strip_claims_most,
        tiff_large_floats,
        tiff_sixteen_bits_of_four,
        tiff_planes,
        tiff_samples,
        tiff_fax,
        tiff_directory,
        tiff_directories,
        tiff_circle,
        tiff_strips,
        webp_large,
        webp_canvas,
        webp_canvas_claims_most,
        webp_frames,
        webp_chunks,
        avif_large,
        avif_that_announces_little,
        avif_that_announces_most,
        avif_frames,
        heic_boxes,
        heic_items,
        pgm_comments,
        pgm_comments_in_header,
        pgm_one_comment,
        pgm_spaces,
        pgm_zeros,
        pgm_numbers,
        pbm_bits,
        ppm_sixteen_bits,
        pnm_cut_short,
        noise_jpeg,
        noise_large,
    )
}
