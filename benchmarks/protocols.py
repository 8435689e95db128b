"""Compare large tensor requests with the engine alone and with MLServer: `python -m benchmarks.protocols`.

A binary request of 10,000 images is compared with the engine alone, which scores the same images in its largest
batches. JSON requests of 64 images are compared with MLServer, which implements the same protocol. Both servers have
two workers.
"""

import http.client
import json
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import numpy as np
import typer
from numpy.typing import NDArray

from app.inference.engines import LARGEST_BATCH, OpenVINOEngine
from benchmarks import payloads
from benchmarks.closed_loop import ClosedLoad, drive, require_wrk
from benchmarks.environments import ROOT
from benchmarks.processes import unwind_when_terminated
from benchmarks.servers import BATCH, Server, digitserve, digitserve_one_worker, mlserver
from benchmarks.serving import newest_version
from benchmarks.turn import Picture, Reference, take_turn

IMAGES = 10_000
_INFER = "/v2/models/convnet/infer"


def main(
    *,
    models: Annotated[Path, typer.Option(help="Folder that holds <name>/<version>/.")] = ROOT / "models",
    rounds: Annotated[int, typer.Option(min=1, help="How often each figure is measured, in turn.")] = 5,
    seconds: Annotated[int, typer.Option(min=1, help="How long each figure of the comparison is measured.")] = 4,
    connections: Annotated[int, typer.Option(min=1, help="Of the comparison, at a time.")] = 8,
    peers: Annotated[bool, typer.Option(help="Whether to compare with MLServer, which is installed for it.")] = True,
) -> None:
    """Measure both comparisons, and print one line of JSON for each."""
    unwind_when_terminated()
    saved_model = newest_version(models / "convnet")
    picture = Reference(saved_model).predict(payloads.digit_png())
    images = np.repeat(payloads.decode_plainly(picture.data)[np.newaxis], IMAGES, axis=0)
    served, bare = bulk(digitserve_one_worker(models), OpenVINOEngine(saved_model), picture, images, rounds=rounds)
    ratios = np.array(served) / np.array(bare)
    print(json.dumps({"images_per_second": _median(served), "engine_alone": _median(bare), "ratio": _median(ratios)}))
    if not peers:
        return
    require_wrk()
    load = partial(drive, body=payloads.tensors(images[:BATCH]), connections=connections)
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(rounds):
        ours.append(rate(digitserve(models), _INFER, picture, load, seconds))
        peer = mlserver(saved_model)
        theirs.append(rate(peer, peer.routes["tensor"].path, picture, load, seconds))
    ratios = np.array(ours) / np.array(theirs)
    print(json.dumps({"requests_per_second": _median(ours), "mlserver": _median(theirs), "ratio": _median(ratios)}))


def bulk(
    server: Server, engine: OpenVINOEngine, picture: Picture, images: NDArray[np.uint8], *, rounds: int
) -> tuple[list[float], list[float]]:
    """Return the images a second of the service and of the engine in this process, measured alternately."""
    served, bare = [], []
    text, body = payloads.binary_tensor(images)
    headers = {"Inference-Header-Content-Length": str(len(text))}
    with (
        take_turn(server, picture) as turn,
        closing(http.client.HTTPConnection(urlsplit(turn.address).netloc)) as connection,
    ):
        for _ in range(rounds + 1):
            started = time.perf_counter()
            connection.request("POST", _INFER, body, headers)
            response = connection.getresponse()
            answer = response.read()
            served.append(len(images) / (time.perf_counter() - started))
            _check(response, answer, picture, len(images))
            started = time.perf_counter()
            for start in range(0, len(images), LARGEST_BATCH):
                engine(images[start : start + LARGEST_BATCH])
            bare.append(len(images) / (time.perf_counter() - started))
    return served[1:], bare[1:]  # the first round is for warm-up


def _check(response: http.client.HTTPResponse, answer: bytes, picture: Picture, count: int) -> None:
    """Check that the answer to every image is correct. The probabilities precede the logits."""
    if response.status != 200:
        message = f"The service answered with status {response.status}: {answer[:300]!r}"
        raise RuntimeError(message)
    length = int(response.headers["Inference-Header-Content-Length"])
    probabilities = np.frombuffer(answer, "<f4", count * 10, length).reshape(count, 10)
    np.testing.assert_allclose(probabilities, np.tile(picture.resized.probabilities, (count, 1)), atol=1e-4)


def rate(server: Server, path: str, picture: Picture, load: Callable[..., ClosedLoad], seconds: int) -> float:
    """Return the requests a second that a server answers."""
    with take_turn(server, picture) as turn:
        load(turn.address + path, seconds=1)
        found = load(turn.address + path, seconds=seconds)
    if found.refused or found.broken:
        print(f"{server.label}: {found.refused} refused, {found.broken} broken", flush=True)
    return found.rate


def _median(values: list[float] | NDArray[np.float64]) -> float:
    return round(float(np.median(values)), 3)


if __name__ == "__main__":
    typer.run(main)
