"""Decode a picture file into an upright array of pixels, within limits of size and memory. Knows nothing of ink.

The headers of each file format are parsed by a module of its own. Pillow, OpenCV, kornia-rs (plain PNG), libheif (HEIC)
or that module decodes the pixels.
"""

import io
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from imaging import bmp, gif, heif, jpeg, png, pnm, tiff, webp
from imaging.alpha import composite_on_background
from imaging.container import Container
from imaging.conversion import AXES_SWAPPED, TARGET_SIDE, reduction_factor, rotate_upright, to_8_bits
from imaging.errors import PictureError, PictureTooLarge, UnreadablePicture, UnsupportedPicture
from imaging.file_types import describe_file

DEFAULT_MAX_PIXELS = 24_000_000
"""The most pixels of a picture, unless the caller names another number."""

_MAX_MEMORY_BYTES = 120_000_000
"""The most memory for decoding, besides the file. 24 megapixels of RGB take 96 MB in Pillow."""

_MAX_SIDE = 1_000_000
"""The longest side allowed, in pixels. Pillow allocates a pointer for each row and loops over the rows."""

_BYTES_PER_PIXEL = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}
"""The memory for a pixel of a Pillow image, by its mode. All other modes take 4 bytes."""

_CHEAP_JPEG_BYTES = 1024
"""The largest JPEG file that is cheap to decode."""
_CHEAP_PNG_BYTES = 32 * 1024
"""The largest PNG file that is cheap to decode."""
_CHEAP_PIXELS = 320 * 320
"""The most pixels of a PNG file, or samples of a JPEG file, that is cheap to decode."""
_MULTIPART_BYTES = 1024
"""What a multipart body contains besides the picture."""

_SIGNATURES: dict[str, tuple[bytes, ...]] = {
    "PNG": (png.SIGNATURE,),
    "JPEG": (b"\xff\xd8\xff",),
    "GIF": (b"GIF87a", b"GIF89a"),
    "BMP": (b"BM",),
    "TIFF": (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"),
    "WEBP": (b"RIFF",),
    "PPM": tuple(b"P%d" % digit for digit in range(1, 7)),
}
"""The signatures of each supported format, by Pillow's name. An MPO file is a JPEG file with more pictures appended."""

_INSPECT: dict[str, Callable[[bytes], Container]] = {
    "PNG": png.inspect,
    "JPEG": jpeg.inspect,
    "GIF": gif.inspect,
    "BMP": bmp.inspect,
    "TIFF": tiff.inspect,
    "WEBP": webp.inspect,
    "PPM": pnm.inspect,
    "HEIC": heif.inspect,
    "AVIF": heif.inspect,
}
"""The function that parses the headers of each format."""

_DECODERS: dict[str, Callable[[bytes], NDArray[Any]]] = {
    "WEBP": webp.decode,
    "PPM": pnm.decode,
    "HEIC": heif.decode,
    "AVIF": heif.decode,
}
"""The decoders of the formats that Pillow does not decode, or for which it takes too much time or memory."""

_COUNT_FRAMES: dict[str, Callable[[bytes], int]] = {
    "PNG": png.count_frames,
    "JPEG": jpeg.count_frames,
    "GIF": gif.count_frames,
    "TIFF": tiff.count_frames,
    "WEBP": webp.count_frames,
    "HEIC": heif.count_frames,
    "AVIF": heif.count_frames,
}
"""The function that counts the pages or frames, of each format that can have several."""

_MEDIA_TYPES_BUT_PNG = frozenset(
    f"image/{name}" for name in ("jpeg", "jpg", "gif", "bmp", "tiff", "webp", "heic", "heif", "avif")
)
"""The media types of pictures other than PNG."""

_SUPPORTED = "PNG, JPEG (MPO too), GIF, BMP, TIFF, WebP, HEIC, AVIF, PBM, PGM or PPM"


class DecodedPicture(NamedTuple):
    """The pixels of a picture file, upright, and its size before the reduction."""

    pixels: NDArray[np.uint8]
    """(h, w) for a grey and (h, w, 3) RGB for a coloured picture."""
    width: int
    """Of the upright picture before the reduction, in pixels."""
    height: int
    """Of the upright picture before the reduction, in pixels."""


def decode(data: bytes, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> NDArray[np.uint8]:
    """Return the pixels of the picture file `data`: uint8, (h, w) for a grey and (h, w, 3) RGB for a coloured picture.

    The picture is turned upright by its EXIF orientation. Transparent pixels get a background. Of an animation, the
    first frame is decoded. A picture with a longest side of 768 pixels or more is reduced by a whole factor, to 384 to
    640 pixels. Decoding takes at most 120 MB of memory besides `data`.

    Raises:
        UnsupportedPicture: if the file format, or its compression, is not supported.
        UnreadablePicture: if the file is broken or truncated.
        PictureTooLarge: if there are more than `max_pixels` pixels, or too many parts, or decoding would take too much
            memory. The pixels and the memory are checked before the pixels are decoded.

    """
    return decode_with_size(data, max_pixels=max_pixels, target_side=TARGET_SIDE).pixels


def decode_with_size(data: bytes, *, max_pixels: int, target_side: int) -> DecodedPicture:
    """Decode as `decode` does, but reduce by the whole factor that brings the longest side nearest to `target_side`.

    Raises the errors of `decode`.
    """
    if _is_small_png(data, max_pixels, target_side) and (pixels := png.decode_plain(data)) is not None:
        pixels = composite_on_background(pixels) if pixels.shape[2:] == (4,) else pixels
        return DecodedPicture(pixels, pixels.shape[1], pixels.shape[0])
    name = _detect_format(data)
    if name is None:
        raise _unsupported(data)
    if name == "PNG" and (size := png.read_size(data)):
        _check_size(*size, max_pixels)  # before the rest, as nothing but the header may be there
    try:
        container = _INSPECT[name](data)
        _check_size(container.width, container.height, max_pixels)
        pixels = _decode_container(name, container, target_side)
    except PictureError:
        raise
    except Exception as error:
        raise _unreadable(name, error) from error
    size = container.width, container.height
    return DecodedPicture(pixels, *(size[::-1] if container.orientation in AXES_SWAPPED else size))


def is_cheap_to_decode(data: bytes) -> bool:
    """Tell from the headers whether preprocessing the picture file `data` takes at most about two milliseconds.

    The pixels may still make it expensive: then `preprocess_pictures` with `cheap_only` returns ExpensivePicture.
    """
    if data.startswith(png.SIGNATURE):
        return len(data) <= _CHEAP_PNG_BYTES and png.is_cheap(data, _CHEAP_PIXELS)
    # In formats other than JPEG a kilobyte can hold millions of pixels.
    return len(data) <= _CHEAP_JPEG_BYTES and _is_cheap_or_unsupported(data)


def _is_cheap_or_unsupported(data: bytes) -> bool:
    """Tell whether `data` is a JPEG file that is cheap to decode, or is in no supported format."""
    name = _detect_format(data)
    return name is None or (name == "JPEG" and jpeg.is_cheap(data, _CHEAP_PIXELS))


def may_be_cheap_to_decode(length: int, media_type: str) -> bool:
    """Tell whether `is_cheap_to_decode` may hold for the picture in a body of `length` bytes of this `media_type`."""
    if media_type.partition(";")[0].strip().lower() in _MEDIA_TYPES_BUT_PNG:
        return length <= _CHEAP_JPEG_BYTES
    return length <= _CHEAP_PNG_BYTES + _MULTIPART_BYTES


def count_frames(data: bytes) -> int:
    """Return the number of pages or frames in the picture file `data`, of which the first is decoded.

    The time is bounded to a few milliseconds: of a file with thousands of them, not all may be counted. The number is 1
    for a file that is broken or not supported.
    """
    name = _detect_format(data)
    if name not in _COUNT_FRAMES:
        return 1
    try:
        return max(1, _COUNT_FRAMES[name](data))
    except (PictureError, ValueError, LookupError, struct.error):
        return 1


def encode_png(image: NDArray[np.uint8]) -> bytes:
    """Return the grey `image`, uint8 (h, w), as a PNG file."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def _is_small_png(data: bytes, max_pixels: int, target_side: int) -> bool:
    """Tell whether `data` begins like a PNG file of an allowed size that is not reduced."""
    size = png.read_size(data) if data.startswith(png.SIGNATURE) else None
    return size is not None and reduction_factor(*size, target_side) < 2 and size[0] * size[1] <= max_pixels


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        message = (
            f"The picture has {width} x {height} pixels; at most {max_pixels:,} in total are allowed. "
            "Send a smaller picture."
        )
        raise PictureTooLarge(message)
    if max(width, height) > _MAX_SIDE:
        message = (
            f"The picture has {width} x {height} pixels; at most {_MAX_SIDE:,} on a side are allowed. "
            "Send a smaller picture."
        )
        raise PictureTooLarge(message)


def _detect_format(data: bytes) -> str | None:
    """Return Pillow's name of the supported format whose signature `data` has, or None."""
    for name, signatures in _SIGNATURES.items():
        if data.startswith(signatures) and (name != "WEBP" or data[8:12] == b"WEBP"):
            return name
    if heif.has_signature(data):
        return "AVIF" if heif.is_avif(data) else "HEIC"
    return None


def _unsupported(data: bytes) -> UnsupportedPicture:
    beginning = f" that begin with {data[:8]!r}" if data else ""
    unknown = f"The {len(data)} bytes{beginning} are not a picture in a supported format."
    description = describe_file(data, lambda beginning: _detect_format(beginning) is not None)
    return UnsupportedPicture(f"{description or unknown} Supported: {_SUPPORTED}.")


def _unreadable(name: str | None, error: Exception) -> UnreadablePicture:
    # Pillow's message would contain the representation of a Python object.
    reason = "its header is invalid" if isinstance(error, UnidentifiedImageError) else error
    return UnreadablePicture(f"The {name} picture is broken or truncated ({reason}). Save it again and send that file.")


def _decode_container(name: str, container: Container, target_side: int) -> NDArray[np.uint8]:
    """Decode a picture of the format `name` and turn it upright. Raises PictureTooLarge if that takes much memory."""
    if name in _DECODERS:
        # The decoder's buffers are freed before the conversion begins, so the conversion's memory does not add to them.
        _check_memory(container, -container.width * container.height // 2)
        pixels = to_8_bits(_DECODERS[name](container.data), target_side=target_side)
        return rotate_upright(pixels, container.orientation)
    file = _decompress(name, container)
    try:
        return _decode_with_pillow(name, container, file, target_side)
    except OSError:
        if name != "JPEG":
            raise
        # Files that lack only the marker at their end have all pixels, and the two decode to the same pixels.
        one, other = (_decode_with_pillow(name, container, each, target_side) for each in jpeg.complete(file))
        if not np.array_equal(one, other):
            raise
        return one


def _decode_with_pillow(name: str, container: Container, file: bytes, target_side: int) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(file), formats=[name]) as picture:
        min_side = 3 * target_side // 4
        picture.draft(picture.mode, (min_side, min_side))
        _check_memory(container, _BYTES_PER_PIXEL.get(picture.mode, 4) * picture.width * picture.height)
        picture.load()
        if name == "TIFF":  # rotated before the reduction, as in Pillow: the order changes the last rows
            return to_8_bits(picture, container.orientation, target_side=target_side)
        return rotate_upright(to_8_bits(picture, target_side=target_side), container.orientation)


def _decompress(name: str, container: Container) -> bytes:
    if name != "BMP":
        return container.data
    _check_memory(container, 0)
    return bmp.decompress(container.data)


def _check_memory(container: Container, picture_bytes: int) -> None:
    conversion = container.width * container.height // 2  # two strips of a sixteenth, of 4 bytes a pixel
    needed = picture_bytes + container.buffers + conversion
    if needed > _MAX_MEMORY_BYTES:
        size = f"{container.width} x {container.height}"
        message = (
            f"Decoding the picture of {size} pixels needs {needed / 1e6:,.0f} MB of memory; at most "
            f"{_MAX_MEMORY_BYTES / 1e6:,.0f} MB are allowed. Send a smaller picture, or a PNG or a baseline JPEG."
        )
        raise PictureTooLarge(message)
