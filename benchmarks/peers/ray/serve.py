"""Ray Serve: replicas behind its HTTP proxy, with a batched method."""  # noqa: INP001 - a program, run in its folder

import os
from io import BytesIO
from typing import Any

import numpy as np
import ray
from classifier import Classifier, read_image
from numpy.typing import NDArray
from ray import serve
from starlette.requests import Request

WORKERS = int(os.environ["WORKERS"])


@serve.deployment(num_replicas=WORKERS, max_ongoing_requests=256, logging_config={"enable_access_log": False})
class Digits:
    """The Ray Serve deployment."""

    def __init__(self) -> None:
        self.classifier = Classifier(os.environ["MODEL_DIR"])

    @serve.batch(max_batch_size=64, batch_wait_timeout_s=0.005)
    async def classify(self, images: list[NDArray[np.uint8]]) -> list[dict[str, Any]]:
        """Classify a batch."""
        return self.classifier(np.stack(images))

    async def __call__(self, request: Request) -> dict[str, Any]:
        """Answer one request."""
        return await self.classify(read_image(BytesIO(await request.body())))


if __name__ == "__main__":
    ray.init(include_dashboard=False, num_cpus=WORKERS, log_to_driver=False, object_store_memory=100 * 1024**2)
    serve.start(
        http_options={"host": "127.0.0.1", "port": int(os.environ["PORT"])},
        logging_config={"enable_access_log": False},
    )
    serve.run(Digits.bind(), route_prefix="/predict", blocking=True)
