"""Runs the finder on a picture of any size: on the whole, on a window of it, or on tiles. Knows no digits."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from app.inference.finder_engine import MAP_SIDE, PICTURE_SIDE, FinderMaps
from imaging import Area, DigitMaps, cut_tiles, fit_to_square

Pixels = NDArray[np.uint8]
"""(h, w, 3), RGB."""
RunFinder = Callable[[NDArray[np.uint8]], FinderMaps]
"""From pictures, uint8 (n, 192, 192, 3), to their maps."""

_REDUCTION = PICTURE_SIDE // MAP_SIDE
"""The pixels of the finder's picture for each cell of a map."""


def map_whole(pixels: Pixels, run: RunFinder) -> DigitMaps:
    """Run the finder once, on the whole picture."""
    return map_window(pixels, (0, 0, pixels.shape[1], pixels.shape[0]), run)


def map_window(pixels: Pixels, window: Area, run: RunFinder) -> DigitMaps:
    """Run the finder once, on a window within the picture."""
    left, top, width, height = window
    fitted = fit_to_square(pixels[top : top + height, left : left + width], PICTURE_SIDE)
    maps = run(fitted.pixels[np.newaxis])
    scale = fitted.scale / _REDUCTION
    # The cells of the padding are cut off. The padding may end within a cell.
    first_column, first_row = fitted.left // _REDUCTION, fitted.top // _REDUCTION
    columns, rows = (max(round(length * scale), 1) for length in (width, height))
    part = np.s_[first_row : first_row + rows, first_column : first_column + columns]
    offset_x = fitted.left / _REDUCTION - first_column
    offset_y = fitted.top / _REDUCTION - first_row
    return DigitMaps(maps.ink[0][part], maps.cores[0][part], scale, left - offset_x / scale, top - offset_y / scale)


def map_tiles(pixels: Pixels, area: Area, scale: float, run: RunFinder, *, max_tiles: int) -> DigitMaps:
    """Run the finder on tiles of an area of the picture, scaled by `scale` or less, and join the maps."""
    tiles = cut_tiles(pixels, area, scale, PICTURE_SIDE, max_count=max_tiles)
    maps = run(tiles.pictures)
    return DigitMaps(tiles.join(maps.ink), tiles.join(maps.cores), tiles.scale / _REDUCTION, area[0], area[1])
