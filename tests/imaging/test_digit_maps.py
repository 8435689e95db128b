import numpy as np

from imaging import DigitMaps


def test_cells_are_converted_to_pixels_of_the_picture() -> None:
    nothing = np.zeros((20, 20), np.float32)
    assert DigitMaps(nothing, nothing, scale=0.5).to_picture(3, 4, 5, 6) == (6, 8, 10, 12)
    assert DigitMaps(nothing, nothing, scale=2, left=10, top=-1).to_picture(3, 4, 5, 6) == (11.5, 1, 2.5, 3)
