"""FastAPI and TensorFlow, as in a tutorial: the model is called for each request, in FastAPI's thread pool."""  # noqa: INP001 - a program, run in its folder

import os
from io import BytesIO
from typing import Annotated, Any

import numpy as np
import uvicorn
from classifier import Classifier, read_image
from fastapi import Body, FastAPI, UploadFile
from pydantic import BaseModel


class Answer(BaseModel):
    """The schema of the answer."""

    digit: int
    confidence: float
    probabilities: list[float]


def create_app() -> FastAPI:
    """Build the application of one worker."""
    app = FastAPI()
    classifier = Classifier(os.environ["MODEL_DIR"])

    def answer(file: Any) -> dict[str, Any]:  # noqa: ANN401 - an upload's file and BytesIO have no type in common
        return classifier(read_image(file)[np.newaxis])[0]

    @app.post("/predict", response_model=Answer)
    def predict(file: UploadFile) -> dict[str, Any]:
        return answer(file.file)

    @app.post("/predict/raw", response_model=Answer)
    def predict_raw(body: Annotated[bytes, Body(media_type="image/png")]) -> dict[str, Any]:
        return answer(BytesIO(body))

    return app


if __name__ == "__main__":
    uvicorn.run(
        "serve:create_app",
        factory=True,
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        workers=int(os.environ["WORKERS"]),
        access_log=False,
        timeout_worker_healthcheck=60,  # importing TensorFlow takes longer than the default
    )
