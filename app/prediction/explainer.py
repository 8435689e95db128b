"""Why a model answers as it does, found by asking it about changed images. Knows no HTTP, and no model from within.

Everything is read off the scores that the engine gives. The alternative, reading the weights out of the SavedModel,
would bring TensorFlow into the service, and would say nothing about a model of another kind.
"""

import numpy as np
from numpy.typing import NDArray

from app.deadline import Deadline
from app.errors import NotAffine
from app.inference.batching import Batcher
from app.inference.engines import LARGEST_BATCH, Images
from app.inference.scores import Scores
from app.model_repository.repository import ModelRepository
from app.prediction.preprocessor import Preprocessor
from app.schemas import Occlusion, WeightImages

PATCH = 6
"""Side of the square that is covered, in pixels: wide enough to hide a pen's stroke, which is two to four wide."""
STEP = 2
"""How far apart two such squares are, in pixels."""


class Explainer:
    """Explains answers within a deadline, in small batches that let other requests in between."""

    def __init__(self, repository: ModelRepository, preprocessor: Preprocessor, *, deadline_seconds: float) -> None:
        self._repository = repository
        self._preprocessor = preprocessor
        self._deadline = Deadline(deadline_seconds)

    async def occlude(self, data: bytes, model: str, version: int | None) -> Occlusion:
        """Say what the model would read in the picture in `data` if a square of it were covered with paper.

        Source: Zeiler & Fergus 2014, arXiv:1311.2901, section 4.2.

        Raises:
            ServiceError, PictureError: which say what was wrong, and with what.

        """
        served = self._repository.find(model, version)
        with self._deadline.enforced():
            image = (await self._preprocessor.read(data)).image
            covered = cover(image)
            probabilities = (await _score(served.batcher, np.concatenate([image[np.newaxis], covered]))).probabilities
        places = int(len(covered) ** 0.5)
        digit = int(probabilities[0].argmax())
        return Occlusion(
            model=served.card.name,
            version=served.card.version,
            digit=digit,
            confidence=float(_round(probabilities[0, digit])),
            patch=PATCH,
            step=STEP,
            confidences=_round(probabilities[1:, digit]).reshape(places, places).tolist(),
            digits=probabilities[1:].argmax(axis=1).reshape(places, places).tolist(),
        )

    async def weigh(self, model: str, version: int | None) -> WeightImages:
        """Give the weights of a model whose logits are an affine map of the pixels.

        Raises:
            NotAffine: if they are not.
            ServiceError: which says what else was wrong, and with what.

        """
        served = self._repository.find(model, version)
        with self._deadline.enforced():
            if not await _is_affine(served.batcher):
                raise NotAffine(model)
            blank = (await _score(served.batcher, np.zeros((1, 28, 28), np.uint8))).logits
            weights = (await _score(served.batcher, basis())).logits - blank
        return WeightImages(
            model=served.card.name,
            version=served.card.version,
            biases=_round(blank[0]).tolist(),
            weights=_round(weights.T, 4).reshape(10, 28, 28).tolist(),
        )


def cover(image: Images) -> Images:
    """Cover one square after the other of an image with paper.

    Args:
        image: (28, 28), which is left as it is.

    Returns:
        (144, 28, 28): row by row from the top left, `STEP` pixels apart; together the squares cover all of the image.

    """
    corners = range(0, 28 - PATCH + 1, STEP)
    covered = np.repeat(image[np.newaxis], len(corners) ** 2, axis=0)
    places = ((top, left) for top in corners for left in corners)
    for one, (top, left) in zip(covered, places, strict=True):
        one[top : top + PATCH, left : left + PATCH] = 0
    return covered


def basis() -> Images:
    """Give the images that have ink in one pixel, (784, 28, 28): their logits, less a blank's, are the weights."""
    return (np.eye(784, dtype=np.uint8) * 255).reshape(784, 28, 28)


async def _is_affine(batcher: Batcher) -> bool:
    """Tell whether the logits of two halves of an image add up to those of the whole."""
    images = np.zeros((4, 28, 28), np.uint8)  # blank, upper half, lower half, both
    images[[1, 3], 4:14, 4:24] = 255
    images[[2, 3], 14:24, 4:24] = 255
    blank, upper, lower, both = (await _score(batcher, images)).logits
    return np.allclose(upper + lower - blank, both, atol=1e-2)


async def _score(batcher: Batcher, images: Images) -> Scores:
    """Score any number of images one batch after the other, so that whoever else waits has a turn between them."""
    parts = [
        await batcher.score(images[start : start + LARGEST_BATCH]) for start in range(0, len(images), LARGEST_BATCH)
    ]
    return Scores.concatenate(parts)


def _round(numbers: NDArray[np.float32] | np.float32, decimals: int = 6) -> NDArray[np.float64]:
    return np.asarray(numbers, np.float64).round(decimals)
