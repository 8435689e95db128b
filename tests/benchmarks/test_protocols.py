import asyncio

import numpy as np
import pytest

from app.inference.engines import OpenVINOEngine
from app.protocols.open_inference.requests import parse_request
from benchmarks import payloads
from benchmarks.protocols import bulk
from benchmarks.servers import digitserve_one_worker
from benchmarks.serving import newest_version
from benchmarks.turn import Reference
from tests.conftest import MODELS


def test_the_service_parses_the_bodies() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28), dtype=np.uint8)
    text, body = payloads.binary_tensor(images)
    request = asyncio.run(parse_request(body, str(len(text)), max_files=64))
    assert (np.asarray(request.inputs) == images).all()
    assert all(output.binary for output in request.outputs)
    assert (
        np.asarray(asyncio.run(parse_request(payloads.tensors(images).data, None, max_files=64)).inputs) == images
    ).all()


@pytest.mark.slow
def test_a_large_request_gets_the_predictions_of_the_engine() -> None:
    saved_model = newest_version(MODELS / "softmax")
    picture = Reference(newest_version(MODELS / "convnet")).predict(payloads.digit_png())
    images = np.repeat(payloads.decode_plainly(picture.data)[np.newaxis], 500, axis=0)
    served, bare = bulk(digitserve_one_worker(MODELS), OpenVINOEngine(saved_model), picture, images, rounds=1)
    assert len(served) == len(bare) == 1
    assert min(served + bare) > 0
