"""The bytes of a picture file -> an array of its pixels, upright. Knows file formats; knows nothing of ink."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from imaging.errors import PictureTooLarge, UnreadablePicture, UnsupportedPicture

DEFAULT_MAX_PIXELS = 24_000_000


def decode(data: bytes, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> NDArray[np.uint8]:
    """Return the pixels of the picture in `data`: uint8, (h, w) if it is grey and (h, w, 3) RGB if it is coloured.

    Raises UnsupportedPicture, UnreadablePicture or PictureTooLarge.
    """
    try:
        with Image.open(io.BytesIO(data)) as picture:
            if picture.width * picture.height > max_pixels:
                message = (
                    f"The picture has {picture.width} x {picture.height} pixels; at most {max_pixels} in all are "
                    "allowed. Send it smaller."
                )
                raise PictureTooLarge(message)
            upright = ImageOps.exif_transpose(picture).convert("RGBA")
    except UnidentifiedImageError as error:
        message = "The bytes are no picture. Expected PNG, JPEG, GIF, BMP, TIFF, WebP or PNM."
        raise UnsupportedPicture(message) from error
    except (OSError, SyntaxError, ValueError) as error:
        message = f"The picture is broken or truncated: {error}. Save it again and send that."
        raise UnreadablePicture(message) from error
    paper = Image.new("RGBA", upright.size, "white")
    return np.asarray(Image.alpha_composite(paper, upright).convert("L"))


def encode_png(image: NDArray[np.uint8]) -> bytes:
    """Return the grey `image`, uint8 (h, w), as the bytes of a PNG file."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()
