"""The bytes of a picture file -> an array of its pixels, upright. Knows file formats; knows nothing of ink."""

import io
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from imaging import bmp, gif, jpeg, png, pnm, tiff, webp
from imaging.container import Container
from imaging.errors import PictureError, PictureTooLarge, UnreadablePicture, UnsupportedPicture

DEFAULT_MAX_PIXELS = 24_000_000

_LONGEST_SIDE = 512
"""A much larger picture comes reduced by the whole factor that brings it nearest to this: no digit needs more."""

_MOST_BYTES = 120_000_000
"""What decoding may take over the size of the file. 24 megapixels of RGB are 96 MB in Pillow."""

_LONGEST_PICTURE = 1_000_000
"""Pillow has a pointer and a step of a loop for each row, however short."""

_PIXEL_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}
"""Of a Pillow picture, by its mode; all others have 4."""

_PIECE = 32
"""A picture is converted in pieces of so many pixels of the reduced one: about a sixteenth."""

_Box = tuple[int, int, int, int]
"""Left, top, right, bottom."""

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

_VALUES = np.arange(256, dtype=np.float64)

_ONE_COLOUR = 16
"""Where the values of each channel have a smaller deviation than this, they are of one colour."""

_INSPECT: dict[str, Callable[[bytes], Container]] = {
    "PNG": png.inspect,
    "JPEG": jpeg.inspect,
    "GIF": gif.inspect,
    "BMP": bmp.inspect,
    "TIFF": tiff.inspect,
    "WEBP": webp.inspect,
    "PPM": pnm.inspect,
}
_DECODERS: dict[str, Callable[[bytes], NDArray[Any]]] = {"WEBP": webp.read, "PPM": pnm.read}
"""Of the formats that Pillow decodes at too high a cost."""

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

_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The same for Pillow's pictures."""
_LYING = {5, 6, 7, 8}
_COLUMNS_REVERSED = {2, 3, 6, 7}
_ROWS_REVERSED = {3, 4, 7, 8}
"""Orientations by what turning upright does; columns and rows are those of the upright picture."""


def decode(data: bytes, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> NDArray[np.uint8]:
    """Return the pixels of the picture in `data`: uint8, (h, w) if it is grey and (h, w, 3) RGB if it is coloured.

    The picture is turned upright by its EXIF, what is transparent is laid on paper, and of an animation it is the
    first frame. A picture of 768 pixels or more on its longest side comes reduced by a whole factor, to 384 to 640.

    Decoding takes at most 120 MB of memory over the size of `data`.

    Raises UnsupportedPicture, UnreadablePicture, or, by the headers alone, PictureTooLarge.
    """
    if _is_small_png(data, max_pixels) and (pixels := png.open_plain(data)) is not None:
        return _lay_on_paper(pixels) if pixels.shape[2:] == (4,) else pixels
    name = _format_of(data)
    if name is None:
        beginning = f"that begin with {data[:8]!r} " if data else ""
        message = f"The {len(data)} bytes {beginning}are no picture that is read here. Send {_READABLE}."
        raise UnsupportedPicture(message)
    if name == "PNG" and (size := png.size_of(data)):
        _check_size(*size, max_pixels)  # also where nothing follows the header
    try:
        container = _INSPECT[name](data)
        _check_size(container.width, container.height, max_pixels)
        return _read(name, container)
    except PictureError:
        raise
    except Exception as error:
        raise _unreadable(name, error) from error


def is_cheap_to_decode(data: bytes) -> bool:
    """Tell from the headers whether reading the picture in `data` briefly takes at most about two milliseconds.

    What the pixels may still add is told by `preprocess_pictures` with `brief`.
    """
    if data.startswith(png.SIGNATURE):
        return len(data) <= _BRIEF_PNG_BYTES and png.is_light(data, _BRIEF_PIXELS)
    # In formats other than JPEG a kilobyte can hold millions of pixels.
    return len(data) <= _BRIEF_JPEG_BYTES and _is_light_jpeg(data)


def _is_light_jpeg(data: bytes) -> bool:
    name = _format_of(data)
    return name is None or (name == "JPEG" and jpeg.is_light(data, _BRIEF_PIXELS))


def may_be_cheap_to_decode(length: int, media_type: str) -> bool:
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


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        message = (
            f"The picture has {width} x {height} pixels; at most {max_pixels:,} in all are allowed. Send it smaller."
        )
        raise PictureTooLarge(message)
    if max(width, height) > _LONGEST_PICTURE:
        message = (
            f"The picture has {width} x {height} pixels; at most {_LONGEST_PICTURE:,} along a side are allowed. "
            "Send it smaller."
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


def _read(name: str, container: Container) -> NDArray[np.uint8]:
    """Decode the picture of the format `name`, if there is memory for it, and turn it upright."""
    if name in _DECODERS:
        _check_memory(container, -container.width * container.height // 2)  # its buffers are gone by then
        pixels = _to_8_bits(_DECODERS[name](container.data))
        return _turn(pixels, container.orientation)
    with Image.open(io.BytesIO(_unfold(name, container)), formats=[name]) as picture:
        least = 3 * _LONGEST_SIDE // 4
        picture.draft(picture.mode, (least, least))
        _check_memory(container, _PIXEL_BYTES.get(picture.mode, 4) * picture.width * picture.height)
        picture.load()
        if name == "TIFF":  # turned before it is reduced, which makes a difference in the last rows
            return _to_8_bits(picture, container.orientation)
        return _turn(_to_8_bits(picture), container.orientation)


def _unfold(name: str, container: Container) -> bytes:
    if name != "BMP":
        return container.data
    _check_memory(container, 0)
    return bmp.unfold(container.data)


def _check_memory(container: Container, picture_bytes: int) -> None:
    pieces = container.width * container.height // 2  # while it is converted: two of 16 pieces, of 4 bytes a pixel
    needed = picture_bytes + container.buffers + pieces
    if needed > _MOST_BYTES:
        size = f"{container.width} x {container.height}"
        message = (
            f"The picture of {size} pixels needs {needed / 1e6:,.0f} MB of memory to be decoded; at most "
            f"{_MOST_BYTES / 1e6:,.0f} are allowed. Send it smaller, or as PNG or baseline JPEG."
        )
        raise PictureTooLarge(message)


def _turn(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    turn = _UPRIGHT.get(orientation)
    return pixels if turn is None else np.ascontiguousarray(turn(pixels))


def _to_8_bits(picture: Image.Image | NDArray[Any], orientation: int = 1) -> NDArray[np.uint8]:
    """Return the pixels of `picture`, of whatever mode, grey or RGB, turned by `orientation` and reduced."""
    sample = picture if isinstance(picture, Image.Image) else Image.fromarray(picture[:1, :1])
    if sample.mode in {"I", "F"} or sample.mode.startswith("I;16"):
        return _scale_to_8_bits(_reduce(picture, "F", orientation))
    if sample.has_transparency_data:
        return _lay_on_paper(_reduce(picture, "RGBA", orientation))
    if sample.mode == "LAB":
        return _reduce(picture, "L", orientation)
    return _reduce(picture, "L" if sample.mode in {"1", "L"} else "RGB", orientation)


def _reduce(picture: Image.Image | NDArray[Any], mode: str, orientation: int) -> NDArray[Any]:
    """Return `picture` in `mode`, turned and reduced.

    That is done piece by piece where Pillow makes a second picture: to convert it, or to weigh colours by their alpha.
    """
    if isinstance(picture, Image.Image):
        width, height = picture.size
        crop = picture.crop
    else:
        height, width = picture.shape[:2]
        crop = partial(_crop_array, picture)
    if orientation in _LYING:
        width, height = height, width
    factor = _reduction(width, height)
    factors = max(1, min(factor, width)), max(1, min(factor, height))
    if isinstance(picture, Image.Image) and orientation not in _TRANSPOSE and picture.mode == mode != "RGBA":
        return np.asarray(picture.reduce(factors) if factor > 1 else picture)
    if isinstance(picture, Image.Image) and orientation not in _TRANSPOSE and factor < 2:
        return np.asarray(_convert(picture, mode))
    pieces = []
    for start, end in _pieces(max(width, height), max(factor, 1)):
        box = (start, 0, end, height) if width >= height else (0, start, width, end)
        piece = _convert(crop(_turn_back(box, width, height, orientation)), mode)
        if orientation in _TRANSPOSE:
            piece = piece.transpose(_TRANSPOSE[orientation])
        pieces.append(np.asarray(piece.reduce(factors) if factor > 1 else piece))
    return np.concatenate(pieces, axis=1 if width >= height else 0)


def _pieces(length: int, factor: int) -> Iterator[tuple[int, int]]:
    """Go through start and end of each piece of a side: whole multiples of `factor`, and the last one with the rest."""
    starts = [*range(0, max(1, length - factor + 1), _PIECE * factor)]
    return zip(starts, [*starts[1:], length], strict=True)


def _turn_back(box: _Box, width: int, height: int, orientation: int) -> _Box:
    """Return where `box`, of a picture of this size, was before the picture was turned by `orientation`."""
    left, top, right, bottom = box
    if orientation in _COLUMNS_REVERSED:
        left, right = width - right, width - left
    if orientation in _ROWS_REVERSED:
        top, bottom = height - bottom, height - top
    return (top, left, bottom, right) if orientation in _LYING else (left, top, right, bottom)


def _crop_array(pixels: NDArray[Any], box: _Box) -> Image.Image:
    left, top, right, bottom = box
    return Image.fromarray(np.ascontiguousarray(pixels[top:bottom, left:right]))


def _convert(picture: Image.Image, mode: str) -> Image.Image:
    """Return `picture` in `mode`, without the copy that Pillow makes where it is in it already."""
    if picture.mode == mode:
        return picture
    return picture.getchannel("L") if picture.mode == "LAB" else picture.convert(mode)


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
    *colours, alpha = (np.asarray(channel, np.uint8) for channel in cv2.split(rgba))
    least, most, _, _ = cv2.minMaxLoc(alpha)
    if least == 255 or most == 0:
        return np.asarray(cv2.cvtColor(rgba, cv2.COLOR_RGBA2RGB), np.uint8)
    if all(np.array_equal(colours[0], colour) for colour in colours[1:]):
        colours = colours[:1]
    visible = (alpha >= most / 2).view(np.uint8)
    papers = _choose_paper([_count_values(colour, visible) for colour in colours], alpha.size)
    laid = [_lay_channel(colour, alpha, paper) for colour, paper in zip(colours, papers, strict=True)]
    return np.asarray(cv2.merge(laid * (3 // len(laid))), np.uint8)


def _lay_channel(colour: NDArray[np.uint8], alpha: NDArray[np.uint8], paper: float) -> NDArray[np.uint8]:
    """Return `colour`, uint8 (h, w), on a `paper` of this lightness."""
    places = np.asarray(cv2.merge((alpha, colour) if sys.byteorder == "little" else (colour, alpha)))
    return np.take(_table_on_paper(paper), places.view(np.uint16)[..., 0])


def _choose_paper(counts: list[NDArray[np.int64]], pixels: int) -> list[float]:
    """Return the lightness of the paper in each channel, by the counts (256,) of the visible values in each."""
    visible = int(counts[0].sum())
    means = [float(_VALUES @ count) / visible for count in counts]
    variances = [float((_VALUES - mean) ** 2 @ count) / visible for mean, count in zip(means, counts, strict=True)]
    if visible > pixels / 2 and max(variances) > _ONE_COLOUR**2:
        return [_median(count) for count in counts]
    return [255.0 if sum(means) / len(means) < 128 else 0.0] * len(means)


def _count_values(values: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.int64]:
    counts = cv2.calcHist([values], [0], mask, [256], [0, 256])
    return np.asarray(counts, np.int64).ravel()


def _median(counts: NDArray[np.int64]) -> float:
    up_to = counts.cumsum()
    total = int(up_to[-1])
    return float(np.searchsorted(up_to, [(total + 1) // 2, total // 2 + 1]).mean())


@lru_cache(maxsize=16)
def _table_on_paper(paper: float) -> NDArray[np.uint8]:
    """Return, (65536,), what each colour and alpha, 256 * colour + alpha, becomes on a `paper` of this lightness."""
    share = np.arange(256) / np.float32(255)
    return np.rint(np.arange(256)[:, np.newaxis] * share + paper * (1 - share)).astype(np.uint8).ravel()
