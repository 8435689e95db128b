"""A deployment as in the documentation of Ray Serve: FastAPI, and the model of the service in the same engine."""

from io import BytesIO
from typing import Annotated, Any

import numpy as np
from fastapi import Body, FastAPI
from PIL import Image
from ray import serve

from app.inference.engines import OpenVINOEngine
from benchmarks.environments import ROOT
from benchmarks.serving import newest_version

app = FastAPI()


@serve.deployment
@serve.ingress(app)
class Digits:
    """The deployment."""

    def __init__(self) -> None:
        self.engine = OpenVINOEngine(newest_version(ROOT / "models" / "convnet"))

    @app.post("/predict")
    async def predict(self, body: Annotated[bytes, Body(media_type="image/png")]) -> dict[str, Any]:
        """Answer one request."""
        with Image.open(BytesIO(body)) as picture:
            image = np.asarray(picture.convert("L").resize((28, 28)))
        probabilities = self.engine(image[np.newaxis]).probabilities[0]
        return {"digit": int(probabilities.argmax()), "probabilities": probabilities.tolist()}
