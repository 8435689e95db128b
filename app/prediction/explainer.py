"""Explains a model by the scores of modified images: occlusion maps and weight images. Knows no HTTP.

Only the scores of the engine are used. Reading the weights from the SavedModel would need TensorFlow, and would work
for some architectures only.
"""

import numpy as np
from numpy.typing import NDArray

from app.deadline import Deadline
from app.errors import NotAffine
from app.inference.batching import Batcher
from app.inference.engines import Images
from app.model_repository.catalogue import ModelCatalogue
from app.prediction.preprocessor import Preprocessor
from app.schemas import Occlusion, WeightImages

PATCH = 6
"""Side of the covered square, in pixels: it hides a pen stroke, which is two to four pixels wide."""
STEP = 2
"""Distance from one square to the next, in pixels."""


class Explainer:
    """Explains predictions and models within a deadline.

    The images are scored in batches, so that other requests are answered in between.
    """

    def __init__(self, catalogue: ModelCatalogue, preprocessor: Preprocessor, *, deadline_seconds: float) -> None:
        self._catalogue = catalogue
        self._preprocessor = preprocessor
        self._deadline = Deadline(deadline_seconds)

    async def occlude(self, data: bytes, model: str, version: int | None) -> Occlusion:
        """Predict the digit of the picture in `data` with one square after the other covered: an occlusion map.

        Source: Zeiler & Fergus 2014, arXiv:1311.2901, section 4.2.

        Raises:
            ServiceError: if the model cannot answer.
            PictureError: if the picture cannot be preprocessed.

        """
        loaded = self._catalogue.find(model, version)
        with self._deadline.enforced():
            image = (await self._preprocessor.preprocess(data)).image
            covered = cover(image)
            scores = await loaded.batcher.score_in_turns(np.concatenate([image[np.newaxis], covered]))
        probabilities = scores.probabilities
        positions = int(len(covered) ** 0.5)
        digit = int(probabilities[0].argmax())
        return Occlusion(
            model=loaded.card.name,
            version=loaded.card.version,
            digit=digit,
            confidence=float(_round(probabilities[0, digit])),
            patch=PATCH,
            step=STEP,
            confidences=_round(probabilities[1:, digit]).reshape(positions, positions).tolist(),
            digits=probabilities[1:].argmax(axis=1).reshape(positions, positions).tolist(),
        )

    async def weight_images(self, model: str, version: int | None) -> WeightImages:
        """Return the weights of a model whose logits are an affine map of the pixels.

        Raises:
            NotAffine: if they are not.
            ServiceError: if the model cannot answer.

        """
        loaded = self._catalogue.find(model, version)
        with self._deadline.enforced():
            if not await _is_affine(loaded.batcher):
                raise NotAffine(model)
            blank = (await loaded.batcher.score_in_turns(np.zeros((1, 28, 28), np.uint8))).logits
            weights = (await loaded.batcher.score_in_turns(one_pixel_images())).logits - blank
        return WeightImages(
            model=loaded.card.name,
            version=loaded.card.version,
            biases=_round(blank[0]).tolist(),
            weights=_round(weights.T, 4).reshape(10, 28, 28).tolist(),
        )


def cover(image: Images) -> Images:
    """Return copies of an image, each with one square set to blank paper.

    Args:
        image: (28, 28); it is not modified.

    Returns:
        (144, 28, 28): row by row from the top left, `STEP` pixels apart; together the squares cover all of the image.

    """
    corners = range(0, 28 - PATCH + 1, STEP)
    covered = np.repeat(image[np.newaxis], len(corners) ** 2, axis=0)
    positions = ((top, left) for top in corners for left in corners)
    for copy, (top, left) in zip(covered, positions, strict=True):
        copy[top : top + PATCH, left : left + PATCH] = 0
    return covered


def one_pixel_images() -> Images:
    """Return one image for each pixel, (784, 28, 28), with ink in that pixel only.

    For an affine model, their logits minus the logits of a blank image are the weights.
    """
    return (np.eye(784, dtype=np.uint8) * 255).reshape(784, 28, 28)


async def _is_affine(batcher: Batcher) -> bool:
    """Tell whether the logits of two halves of an image add up to the logits of the image."""
    images = np.zeros((4, 28, 28), np.uint8)  # blank, upper half, lower half, both
    images[[1, 3], 4:14, 4:24] = 255
    images[[2, 3], 14:24, 4:24] = 255
    blank, upper, lower, both = (await batcher.score_in_turns(images)).logits
    return np.allclose(upper + lower - blank, both, atol=1e-2)


def _round(numbers: NDArray[np.float32] | np.float32, decimals: int = 6) -> NDArray[np.float64]:
    return np.asarray(numbers, np.float64).round(decimals)
