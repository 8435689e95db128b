"""Measure the time of each stage of a request: `python -m benchmarks.stages`. In one process, without a network.

Each stage is run alone and repeatedly. The whole request is sent over one connection, on the fast path. The difference
between the whole and the sum of the stages is the time of metrics, the event loop and the code between the stages.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
import uvloop
from starlette.responses import Response

from app.inference.batching import Batcher
from app.inference.engines import Images, OpenVINOEngine
from app.inference.scores import Scores
from app.observability.metrics import ServiceMetrics
from app.routes.predict import prediction_response
from app.schemas import Prediction
from app.server.fast_path_connection import FastPathConnection
from app.server.worker import create_worker_app
from app.settings import Settings
from app.web.uploads import extract_picture, form_options
from benchmarks import payloads, report
from benchmarks.environments import ROOT
from benchmarks.exchange import constant, exchange_with
from benchmarks.machine import Machine
from benchmarks.payloads import Body
from benchmarks.results import FOLDER, StagesResults
from benchmarks.serving import newest_version
from imaging import decode, normalise

REST = "the rest: telemetry, event loop, what lies between"
WHOLE = "the whole request"
_READY_WITHIN_SECONDS = 60

Stage = Callable[[], Awaitable[Any]]


class _NullEngine:
    """An engine that takes no time, for measuring the queue alone."""

    runs_inline = True

    def __call__(self, images: Images) -> Scores:
        return Scores(np.zeros((len(images), 10), np.float32), np.zeros((len(images), 10), np.float32))


def main(
    *,
    models: Annotated[Path, typer.Option(help="Folder that holds <name>/<version>/.")] = ROOT / "models",
    rounds: Annotated[int, typer.Option(min=1, help="How often each stage is measured, in turn.")] = 15,
    repeats: Annotated[int, typer.Option(min=1, help="How often a stage is run for one figure.")] = 300,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON, and write no page.")] = False,
    out: Annotated[Path, typer.Option(help="Folder for the results; the page goes beside it.")] = FOLDER,
) -> None:
    """Measure every stage of one request, and write docs/benchmarks.md."""
    digit, drawing = payloads.digit_png(), payloads.drawing_png()
    requests = {
        "digit, raw": (digit, payloads.raw(digit)),
        "digit, multipart": (digit, payloads.multipart("file", [digit])),
        "drawing, raw": (drawing, payloads.raw(drawing)),
    }
    microseconds = {
        name: uvloop.run(measure(picture, body, models, rounds=rounds, repeats=repeats))
        for name, (picture, body) in requests.items()
    }
    if as_json:
        flat = {f"{name}: {stage}": values for name, stages in microseconds.items() for stage, values in stages.items()}
        print(json.dumps({name: float(np.median(values)) for name, values in flat.items()}))
        return
    results = StagesResults(machine=Machine.here(), rounds=rounds, repeats=repeats, microseconds=microseconds)
    results.save(out)
    report.write(out.with_suffix(".md"), out)


async def measure(picture: bytes, body: Body, models: Path, *, rounds: int, repeats: int) -> dict[str, list[float]]:
    """Return the microseconds of every stage of a request in each round."""
    async with _stages(picture, body, models) as stages:
        found: dict[str, list[float]] = {name: [] for name in stages}
        for _ in range(rounds):
            for name, stage in stages.items():
                found[name].append(await _time(stage, repeats))
    whole = np.array(found.pop(WHOLE))
    rest = whole - np.sum(list(found.values()), axis=0)
    return {**found, REST: rest.tolist(), WHOLE: whole.tolist()}


async def _time(stage: Stage, repeats: int) -> float:
    await stage()
    started = time.perf_counter()
    for _ in range(repeats):
        await stage()
    return (time.perf_counter() - started) / repeats * 1e6


@asynccontextmanager
async def _stages(picture: bytes, body: Body, models: Path) -> AsyncIterator[dict[str, Stage]]:
    """Yield the stages by name, in the order in which a request passes them."""
    pixels = decode(picture)
    images = normalise(pixels).image[np.newaxis]
    engine = OpenVINOEngine(newest_version(models / "convnet"))
    scores = engine(images)
    settings = Settings.model_validate({"models_dir": models, "access_log": False})
    app = create_worker_app(settings)
    async with (
        app.router.lifespan_context(app) as state,
        Batcher(_NullEngine(), queue_size=1, observer=ServiceMetrics()) as queue,
    ):
        await _ready(app)
        yield {
            "HTTP": exchange_with(constant, body),
            "body": _sync(lambda: extract_picture(body.data, form_options(body.content_type))),
            "decode": _sync(lambda: decode(picture)),
            "normalise": _sync(lambda: normalise(pixels)),
            "queue": _sync(lambda: queue.score_inline(images)),
            "inference": _sync(lambda: engine(images)),
            "answer": _sync(lambda: _answer(scores)),
            WHOLE: exchange_with(app, body, protocol_class=FastPathConnection, state=state),
        }


def _sync(function: Callable[[], object]) -> Stage:
    async def stage() -> object:
        return function()

    return stage


def _answer(scores: Scores) -> Response:
    """Make a response from scores, as the route does."""
    (classification,) = Scores(scores.probabilities, scores.logits).classifications  # a new object: they are cached
    prediction = Prediction(
        digit=classification.digit,
        confidence=classification.probabilities[classification.digit],
        probabilities=classification.probabilities,
        abstained=False,
        reason=None,
        model="convnet",
        version=1,
    )
    return prediction_response(prediction, {"state": {}}, [b""])


async def _ready(app: Any) -> None:  # noqa: ANN401 - FastAPI's state is untyped
    async with asyncio.timeout(_READY_WITHIN_SECONDS):
        while app.state.catalogue.not_ready_reasons():  # noqa: ASYNC110 - models are loaded in a thread, without an event
            await asyncio.sleep(0.01)


if __name__ == "__main__":
    typer.run(main)
