"""BentoML: a service with several workers and an adaptively batched method."""  # noqa: INP001 - a program, run in its folder

import os
from typing import Any

import bentoml
import numpy as np
from classifier import Classifier
from PIL.Image import Image


@bentoml.service(workers=int(os.environ["WORKERS"]), logging={"access": {"enabled": False}})
class Digits:
    """The BentoML service."""

    def __init__(self) -> None:
        self.classifier = Classifier(os.environ["MODEL_DIR"])

    @bentoml.api(batchable=True, max_batch_size=64)
    def predict(self, images: list[Image]) -> list[dict[str, Any]]:
        """Classify a batch of pictures, which BentoML has decoded."""
        grey = [image.convert("L") for image in images]
        return self.classifier(np.stack([np.asarray(image.resize((28, 28))) for image in grey]))
