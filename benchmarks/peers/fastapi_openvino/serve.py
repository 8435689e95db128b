"""FastAPI and OpenVINO in thirty lines: two workers, and the model is called for each request."""  # noqa: INP001 - a program, run in its folder

import os
from io import BytesIO
from typing import Annotated, Any

import numpy as np
import openvino as ov
from fastapi import Body, FastAPI, UploadFile
from PIL import Image

app = FastAPI()
core = ov.Core()
# Each worker has a core to itself. OpenVINO would pin the threads of both to the same one, and
# compute in bfloat16 where the processor can.
core.set_property("CPU", {"INFERENCE_NUM_THREADS": 1, "ENABLE_CPU_PINNING": False, "INFERENCE_PRECISION_HINT": "f32"})
model = core.read_model(os.environ["MODEL_DIR"])
model.reshape([1, 28, 28])
compiled = core.compile_model(model, "CPU")


def answer(file: bytes) -> dict[str, Any]:
    """Classify one picture."""
    with Image.open(BytesIO(file)) as picture:
        image = np.asarray(picture.convert("L").resize((28, 28)))
    probabilities = compiled({"images": image[np.newaxis]})["probabilities"][0]
    return {"digit": int(probabilities.argmax()), "probabilities": probabilities.tolist()}


@app.post("/predict")
async def predict(file: UploadFile) -> dict[str, Any]:
    """Answer a form."""
    return answer(await file.read())


@app.post("/predict/raw")
async def predict_raw(body: Annotated[bytes, Body(media_type="image/png")]) -> dict[str, Any]:
    """Answer a picture."""
    return answer(body)
