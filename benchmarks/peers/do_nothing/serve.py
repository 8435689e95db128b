"""The reference for the other servers: a FastAPI application that reads the body and returns a constant.

It has the routes and the answer schema of the service, and uses FastAPI's own parsing and serialisation. It decodes no
picture and runs no model.
"""  # noqa: INP001 - a program, run in its folder

from typing import Any

from fastapi import FastAPI, Request, UploadFile

from app.schemas import Prediction

app = FastAPI()

_ANSWER: dict[str, Any] = {
    "digit": 7,
    "confidence": 0.91,
    "probabilities": [0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.91, 0.01, 0.01],
    "abstained": False,
    "reason": None,
    "model": "convnet",
    "version": 1,
}


@app.post("/predict/raw")
async def raw(request: Request) -> Prediction:
    """Read a raw body."""
    await request.body()
    return Prediction(**_ANSWER)


@app.post("/predict")
async def multipart(file: UploadFile) -> Prediction:
    """Have FastAPI parse a form, and read its file."""
    await file.read()
    return Prediction(**_ANSWER)
