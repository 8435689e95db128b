"""Cut a large picture into overlapping tiles, and join the maps of the tiles. Knows nothing of digits."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Area = tuple[int, int, int, int]
"""Left, top, width and height of a part of a picture, in whole pixels."""

_OVERLAP = 0.25
"""What a tile has in common with the next one, as a share of its side."""


class Tiles(NamedTuple):
    """Tiles of a picture, in rows."""

    pictures: NDArray[np.uint8]
    """(n, side, side, 3), RGB."""
    places: list[tuple[int, int]]
    """(left, top) of each tile, in pixels of the scaled picture."""
    size: tuple[int, int]
    """(width, height) of the scaled picture, in pixels, before it was padded."""
    scale: float
    """Pixels of the scaled picture for each pixel of the picture."""

    def join(self, maps: NDArray[np.float32]) -> NDArray[np.float32]:
        """Join maps of the tiles, float32 (n, m, m), to a map of the picture, float32 (h, w).

        Where tiles overlap, it is their mean, in which the border of a tile counts least.
        """
        side, cells = self.pictures.shape[1], maps.shape[1]
        step = side // cells
        weights = _tile_weights(cells)
        width, height = (max(starts) // step + cells for starts in zip(*self.places, strict=True))
        total, weight = np.zeros((height, width), np.float32), np.full((height, width), 1e-6, np.float32)
        for part, (left, top) in zip(maps, self.places, strict=True):
            place = np.s_[top // step : top // step + cells, left // step : left // step + cells]
            total[place] += part * weights
            weight[place] += weights
        joined = total / weight
        return np.asarray(joined[: -(-self.size[1] // step), : -(-self.size[0] // step)])


def cut_tiles(pixels: NDArray[np.uint8], area: Area, scale: float, side: int, *, max_count: int) -> Tiles:
    """Scale an area of a picture and cut it into tiles.

    Args:
        pixels: uint8 (h, w, 3), RGB.
        area: The part of the picture.
        scale: The wanted scale. It is lowered until `max_count` tiles cover the area.
        side: The side of a tile, in pixels: a multiple of 4.
        max_count: The largest number of tiles.

    """
    left, top, width, height = area
    while _count(width * scale, side) * _count(height * scale, side) > max_count:
        scale *= 0.9
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    scaled = np.asarray(cv2.resize(pixels[top : top + height, left : left + width], size, interpolation=way), np.uint8)
    padded = _pad(scaled, side)
    places = [(x, y) for y in _starts(padded.shape[0], side) for x in _starts(padded.shape[1], side)]
    pictures = np.stack([padded[y : y + side, x : x + side] for x, y in places])
    return Tiles(pictures, places, size, scale)


def border_colour(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the median colour of the border of a picture, uint8 (h, w, 3): (3,)."""
    border = np.concatenate([pixels[[0, -1]].reshape(-1, 3), pixels[:, [0, -1]].reshape(-1, 3)])
    return np.asarray(np.median(border, axis=0), np.uint8)


def _pad(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Pad a picture at its right and bottom to at least one tile, and to sides that are multiples of 4."""
    height, width = (max(-(-length // 4) * 4, side) for length in pixels.shape[:2])
    padded = np.empty((height, width, 3), np.uint8)
    padded[:] = border_colour(pixels)
    padded[: pixels.shape[0], : pixels.shape[1]] = pixels
    return padded


def _count(length: float, side: int) -> int:
    """Return the number of tiles that cover a length."""
    overlap = _OVERLAP * side
    return max(int(np.ceil((length - overlap) / (side - overlap))), 1)


def _starts(length: int, side: int) -> list[int]:
    """Return the first pixel of each tile: multiples of 4, so that the cells of all tiles lie on one grid."""
    count, last = _count(length, side), length - side
    return [round(last * index / max(count - 1, 1) / 4) * 4 for index in range(count)]


def _tile_weights(cells: int) -> NDArray[np.float32]:
    """Return the weights of the cells of a tile, float32 (cells, cells): at the border, a tile shows cut digits."""
    distance = np.minimum(np.arange(cells), np.arange(cells)[::-1]) + 1.0
    ramp = np.minimum(distance / (_OVERLAP * cells), 1.0) ** 3
    return np.asarray(np.minimum.outer(ramp, ramp), np.float32)
