"""LitServe: an API class with batches of up to 64 and the ZeroMQ queue for high request rates."""  # noqa: INP001 - a program, run in its folder

import os
from typing import Any

import litserve as ls
import numpy as np
from classifier import Classifier, read_image
from fastapi import UploadFile
from numpy.typing import NDArray


class Digits(ls.LitAPI):
    """The LitServe service."""

    def setup(self, device: str) -> None:  # noqa: ARG002 - as LitServe has it
        """Load the model, once in each worker."""
        self.classifier = Classifier(os.environ["MODEL_DIR"])

    def decode_request(self, request: UploadFile) -> NDArray[np.uint8]:
        """Decode one picture."""
        return read_image(request.file)

    def predict(self, images: NDArray[np.uint8]) -> list[dict[str, Any]]:
        """Classify a batch, which LitServe has stacked."""
        return self.classifier(images)

    def encode_response(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Answer one request."""
        return answer


if __name__ == "__main__":
    server = ls.LitServer(
        Digits(max_batch_size=64, batch_timeout=0.005),
        accelerator="cpu",
        workers_per_device=int(os.environ["WORKERS"]),
        fast_queue=True,
    )
    server.run(
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        num_api_servers=int(os.environ["WORKERS"]),
        generate_client_file=False,
        log_level="warning",
        access_log=False,
    )
