"""MLServer: a custom runtime, which receives tensors in the V2 protocol. Its batching is in `model-settings.json`."""  # noqa: INP001 - a program, run in its folder

import os
from typing import Any

import numpy as np
from classifier import Classifier
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Digits(MLModel):
    """The MLServer runtime."""

    async def load(self) -> bool:
        """Load the model, once in each worker."""
        self.classifier = Classifier(os.environ["MODEL_DIR"])
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Classify a batch of images, uint8 (n, 28, 28)."""
        images = self.decode(payload.inputs[0], default_codec=NumpyCodec)
        answers = self.classifier(images)
        return InferenceResponse(
            model_name=self.name,
            outputs=[_output(name, answers) for name in ("digit", "confidence", "probabilities")],
        )


def _output(name: str, answers: list[dict[str, Any]]) -> Any:  # noqa: ANN401 - MLServer's generated types
    return NumpyCodec.encode_output(name, np.array([answer[name] for answer in answers]))
