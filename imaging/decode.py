"""The bytes of a picture file -> an array of its pixels, upright. Knows file formats; knows nothing of ink."""

import io
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from imaging import png
from imaging.errors import PictureTooLarge, UnreadablePicture, UnsupportedPicture

DEFAULT_MAX_PIXELS = 24_000_000

_LONGEST_SIDE = 512
"""A much larger picture comes reduced by the whole factor that brings it nearest to this: no digit needs more."""

_BRIEF_JPEG_BYTES = 1024
_BRIEF_PNG_BYTES = 32 * 1024
_BRIEF_PIXELS = 320 * 320
_FORM_BYTES = 1024
"""What is round a picture in a form."""

_SIGNATURES: dict[str, tuple[bytes, ...]] = {
    "PNG": (png.SIGNATURE,),
    "JPEG": (b"\xff\xd8\xff",),
    "GIF": (b"GIF87a", b"GIF89a"),
    "BMP": (b"BM",),
    "TIFF": (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"),
    "WEBP": (b"RIFF",),
    "PPM": tuple(b"P%d" % digit for digit in range(1, 7)),
}
"""Pillow's name of each format that is read, and how its files begin. MPO files are JPEG files with more behind."""

_NOT_PNG = frozenset({"image/jpeg", "image/jpg", "image/gif", "image/bmp", "image/tiff", "image/webp"})
"""The types that say of a picture that it is something else than a PNG."""

_READABLE = "PNG, JPEG (MPO too), GIF, BMP, TIFF, WebP, PBM, PGM or PPM"

_UPRIGHT: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    2: np.fliplr,
    3: lambda pixels: np.rot90(pixels, 2),
    4: np.flipud,
    5: lambda pixels: np.swapaxes(pixels, 0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.swapaxes(np.rot90(pixels, 2), 0, 1),
    8: np.rot90,
}
"""What turns a picture of each EXIF orientation upright (EXIF 2.3, tag 274); 1 is upright."""


def decode(data: bytes, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> NDArray[np.uint8]:
    """Return the pixels of the picture in `data`: uint8, (h, w) if it is grey and (h, w, 3) RGB if it is coloured.

    The picture is turned upright by its EXIF, what is transparent is laid on paper, and of an animation it is the
    first frame. A picture of 768 pixels or more on its longest side comes reduced by a whole factor, to 384 to 640.

    Raises UnsupportedPicture, UnreadablePicture, or, by the size in the header alone, PictureTooLarge.
    """
    if _is_small_png(data, max_pixels) and (pixels := png.open_plain(data)) is not None:
        return _lay_on_paper(pixels) if pixels.shape[2:] == (4,) else pixels
    with _open(data, max_pixels) as picture:
        try:
            return _to_pixels(picture)
        except Exception as error:
            raise _unreadable(picture.format, error) from error


def is_brief(data: bytes) -> bool:
    """Tell from the size and the header whether reading the picture in `data` is a matter of a millisecond or less."""
    if data.startswith(png.SIGNATURE):
        size = png.size_of(data)
        return len(data) <= _BRIEF_PNG_BYTES and (size is None or size[0] * size[1] <= _BRIEF_PIXELS)
    # A JPEG has bits for each of its blocks. In other formats a kilobyte can hold millions of pixels.
    return len(data) <= _BRIEF_JPEG_BYTES and _format_of(data) in {"JPEG", None}


def may_be_brief(length: int, media_type: str) -> bool:
    """Tell whether `is_brief` could hold for the one picture in a body that is announced, in bytes and by its type."""
    if media_type.partition(";")[0].strip().lower() in _NOT_PNG:
        return length <= _BRIEF_JPEG_BYTES
    return length <= _BRIEF_PNG_BYTES + _FORM_BYTES


def encode_png(image: NDArray[np.uint8]) -> bytes:
    """Return the grey `image`, uint8 (h, w), as the bytes of a PNG file."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def _is_small_png(data: bytes, max_pixels: int) -> bool:
    """Tell whether `data` begins like a PNG file that needs no reducing."""
    size = png.size_of(data) if data.startswith(png.SIGNATURE) else None
    return size is not None and _reduction(*size) < 2 and size[0] * size[1] <= max_pixels


def _open(data: bytes, max_pixels: int) -> Image.Image:
    """Read the header of the picture, no more."""
    name = _format_of(data)
    if name is None:
        beginning = f"that begin with {data[:8]!r} " if data else ""
        message = f"The {len(data)} bytes {beginning}are no picture that is read here. Send {_READABLE}."
        raise UnsupportedPicture(message)
    if name == "PNG" and (size := png.size_of(data)):
        _check_size(*size, max_pixels)  # also where nothing follows the header
    try:
        picture = Image.open(io.BytesIO(data), formats=[name])
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        message = f"The picture has far more than the {max_pixels:,} pixels that are allowed. Send it smaller."
        raise PictureTooLarge(message) from error
    except Exception as error:
        raise _unreadable(name, error) from error
    _check_size(picture.width, picture.height, max_pixels)
    return picture


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        message = (
            f"The picture has {width} x {height} pixels; at most {max_pixels:,} in all are allowed. Send it smaller."
        )
        raise PictureTooLarge(message)


def _format_of(data: bytes) -> str | None:
    """Return Pillow's name of the format that `data` begins like, if it is one that is read."""
    for name, signatures in _SIGNATURES.items():
        if data.startswith(signatures) and (name != "WEBP" or data[8:12] == b"WEBP"):
            return name
    return None


def _unreadable(name: str | None, error: Exception) -> UnreadablePicture:
    # Pillow would name the object in memory that it was given.
    reason = "its beginning makes no sense" if isinstance(error, UnidentifiedImageError) else error
    return UnreadablePicture(f"The {name} picture is broken or truncated ({reason}). Save it again and send that.")


def _to_pixels(picture: Image.Image) -> NDArray[np.uint8]:
    least = 3 * _LONGEST_SIDE // 4
    picture.draft(picture.mode, (least, least))
    picture.load()
    turn = _UPRIGHT.get(picture.getexif().get(ExifTags.Base.Orientation, 1))
    pixels = _to_8_bits(picture)
    return pixels if turn is None else np.ascontiguousarray(turn(pixels))


def _to_8_bits(picture: Image.Image) -> NDArray[np.uint8]:
    """Return the pixels of `picture`, of whatever mode, grey or RGB."""
    if picture.mode in {"I", "F"} or picture.mode.startswith("I;16"):
        return _scale_to_8_bits(np.asarray(_reduce(picture.convert("F"))))
    if picture.has_transparency_data:
        return _lay_on_paper(np.asarray(_reduce(_convert(picture, "RGBA"))))
    if picture.mode == "LAB":
        return np.asarray(_reduce(picture.getchannel("L")))
    return np.asarray(_reduce(_convert(picture, "L" if picture.mode in {"1", "L"} else "RGB")))


def _convert(picture: Image.Image, mode: str) -> Image.Image:
    """Return `picture` in `mode`, without the copy that Pillow makes where it is in it already."""
    return picture if picture.mode == mode else picture.convert(mode)


def _reduce(picture: Image.Image) -> Image.Image:
    factor = _reduction(*picture.size)
    if factor < 2:
        return picture
    return picture.reduce((min(factor, picture.width), min(factor, picture.height)))


def _reduction(width: int, height: int) -> int:
    """Return the factor by which a picture of this size is reduced; 0 and 1 are none."""
    return round(max(width, height) / _LONGEST_SIDE)


def _scale_to_8_bits(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return `values`, (h, w), so that the largest is 255: scanners of 10, 12 and 14 bits write 16-bit files too."""
    positive = np.maximum(np.nan_to_num(values, posinf=0, neginf=0), 0)
    return np.rint(positive * (255 / max(float(positive.max()), 1e-6))).astype(np.uint8)


def _lay_on_paper(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return `rgba`, uint8 (h, w, 4), as RGB, with paper where it is transparent.

    Where the visible is of one colour, or covers less than half, it is ink: the paper is white or black, whichever
    differs more. Else the visible holds its own paper, and the rest is filled with that. Where nothing at all is
    visible, the alpha is a mistake of whoever wrote the file, and the colours stand as they are.
    """
    colour, alpha = rgba[..., :3], rgba[..., 3]
    if alpha.min() == 255 or alpha.max() == 0:
        return np.asarray(cv2.cvtColor(rgba, cv2.COLOR_RGBA2RGB), np.uint8)
    visible = colour[alpha >= alpha.max() / 2]
    holds_paper = len(visible) > alpha.size / 2 and visible.std(axis=0).max() > 16
    paper = np.median(visible, axis=0) if holds_paper else np.full(3, 255.0 if visible.mean() < 128 else 0.0)
    share = alpha[..., np.newaxis] / np.float32(255)
    return np.rint(colour * share + paper * (1 - share)).astype(np.uint8)
