"""Decode a picture file to the scene in which digits are found: coloured, and larger than for a single digit.

Knows nothing of ink.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imaging.decode import DEFAULT_MAX_PIXELS, decode_with_size
from imaging.grey import as_rgb

SCENE_SIDE = 1024
"""A scene is reduced by the whole factor that brings its longest side nearest to this, in pixels. A digit on a sheet of
a hundred then still has 20 to 30 pixels."""


class Scene(NamedTuple):
    """A decoded picture that may show any number of digits."""

    pixels: NDArray[np.uint8]
    """(h, w, 3), RGB, upright. The longest side has at most 1,536 pixels."""
    width: int
    """Of the upright picture before the reduction, in pixels."""
    height: int
    """Of the upright picture before the reduction, in pixels."""


def decode_scene(data: bytes, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> Scene:
    """Decode the picture file `data` as `imaging.decode` does, but in colour, and reduced less.

    A picture with a longest side of more than 1,536 pixels is reduced by a whole factor, to 768 to 1,280 pixels.

    Raises:
        UnsupportedPicture: if the file format, or its compression, is not supported.
        UnreadablePicture: if the file is broken or truncated.
        PictureTooLarge: if the picture has more than `max_pixels` pixels or too many parts, or needs too much memory.

    """
    pixels, width, height = decode_with_size(data, max_pixels=max_pixels, target_side=SCENE_SIDE)
    return Scene(as_rgb(pixels), width, height)
