import numpy as np

from app.prediction.explainer import PATCH, cover, one_pixel_images


def test_the_squares_together_cover_every_pixel() -> None:
    image = np.full((28, 28), 200, np.uint8)
    covered = cover(image)
    assert covered.shape == (144, 28, 28)
    assert (image == 200).all()
    assert ((covered == 0).sum(axis=(1, 2)) == PATCH**2).all()
    assert (covered == 0).any(axis=0).all()


def test_the_squares_go_row_by_row_from_the_top_left() -> None:
    covered = cover(np.full((28, 28), 200, np.uint8))
    for index, (top, left) in {0: (0, 0), 1: (0, 2), 12: (2, 0), 143: (22, 22)}.items():
        assert np.argwhere(covered[index] == 0)[0].tolist() == [top, left]


def test_each_image_has_ink_in_one_pixel_of_its_own() -> None:
    images = one_pixel_images()
    assert images.shape == (784, 28, 28)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images.reshape(784, 784).argmax(axis=1), np.arange(784))
    assert (images.sum(axis=(1, 2)) == 255).all()
