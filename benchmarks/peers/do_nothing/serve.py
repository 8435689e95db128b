"""The limit to be close to: a FastAPI application that reads the body and gives the same answer, always.

It has the service's route shapes and answer, and FastAPI's own ways of reading the one and writing the other. It opens
no picture and runs no model.
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
