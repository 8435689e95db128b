import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import anyio
import numpy as np
import pytest

from app.errors import NotReady
from app.inference.batching import Batcher
from app.inference.engines import Images
from app.inference.scores import Scores
from app.model_repository.card import Card
from app.model_repository.shadow import FindVersion, Shadow, ShadowPair
from app.model_repository.versions import LoadedVersion
from app.observability.metrics import ServiceMetrics
from tests.conftest import Serve

pytestmark = pytest.mark.anyio


class FirstPixel:
    """An engine that predicts the value of the first pixel, or the next digit with `wrong`."""

    runs_inline = True

    def __init__(self, *, wrong: bool = False) -> None:
        self._wrong = wrong

    def __call__(self, images: Images) -> Scores:
        scores = np.eye(10, dtype=np.float32)[(images[:, 0, 0] + self._wrong) % 10]
        return Scores(scores, scores)


class Broken(FirstPixel):
    def __call__(self, images: Images) -> Scores:
        raise FloatingPointError


def version(name: str, engine: FirstPixel, number: int = 1) -> LoadedVersion:
    card = Card.model_construct(name=name, version=number)
    return LoadedVersion(card, Batcher(engine, queue_size=100, observer=ServiceMetrics()))


def images(*digits: int) -> Images:
    return np.array(digits, np.uint8)[:, np.newaxis, np.newaxis].repeat(28, 1).repeat(28, 2)


def outcomes(metrics: ServiceMetrics) -> dict[str, int]:
    text = metrics.exposition("text/plain")[0].decode()
    found = re.findall(r'digitserve_shadow_images_total\{.*outcome="(\w+)".*\} (\d+)', text)
    return {outcome: int(count) for outcome, count in found}


@asynccontextmanager
async def shadowing(shadow: Shadow, find: FindVersion) -> AsyncIterator[None]:
    task = asyncio.create_task(shadow.run(find))
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def until(metrics: ServiceMetrics, expected: dict[str, int]) -> None:
    with anyio.fail_after(10):
        while outcomes(metrics) != expected:  # noqa: ASYNC110 - as any reader of the metrics
            await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("setting", "pair"),
    [
        ("softmax:convnet", ShadowPair("softmax", "convnet", None, None)),
        ("convnet:convnet@3", ShadowPair("convnet", "convnet", 3, None)),
        ("convnet:convnet@latest", ShadowPair("convnet", "convnet", None, "latest")),
    ],
)
def test_the_setting_is_parsed(setting: str, pair: ShadowPair) -> None:
    assert ShadowPair.parse(setting) == pair


async def test_agreement_and_disagreement_are_counted() -> None:
    metrics = ServiceMetrics()
    shadow = Shadow(ShadowPair.parse("softmax:convnet"), metrics)
    primary = version("softmax", FirstPixel())
    primary.batcher.on_scored = lambda images, scores: shadow.submit(primary.card, images, scores)
    found = iter([version("convnet", FirstPixel()), version("convnet", FirstPixel(wrong=True))])
    async with shadowing(shadow, lambda *_: next(found)):
        await primary.batcher.score(images(1, 2))
        await until(metrics, {"agreed": 2})
        await primary.batcher.score(images(9, 9, 9))
        await until(metrics, {"agreed": 2, "disagreed": 3})


async def test_images_that_the_shadow_cannot_score_are_skipped_and_the_next_compared() -> None:
    metrics = ServiceMetrics()
    shadow = Shadow(ShadowPair.parse("softmax:convnet"), metrics)
    card = Card.model_construct(name="softmax", version=1)
    scores = FirstPixel()(images(5))
    found = iter([NotReady("It is loading."), version("convnet", Broken()), version("convnet", FirstPixel())])

    def find(*_: object) -> LoadedVersion:
        next_ = next(found)
        if isinstance(next_, NotReady):
            raise next_
        return next_

    async with shadowing(shadow, find):
        for expected in ({"skipped": 1}, {"skipped": 2}, {"skipped": 2, "agreed": 1}):
            shadow.submit(card, images(5), scores)
            await until(metrics, expected)


async def test_a_full_queue_skips_images() -> None:
    metrics = ServiceMetrics()
    shadow = Shadow(ShadowPair.parse("softmax:convnet"), metrics)
    many = images(*[3] * 600)
    for _ in range(2):
        shadow.submit(Card.model_construct(name="softmax", version=1), many, FirstPixel()(many))
    assert outcomes(metrics) == {"skipped": 600}


async def test_a_version_is_not_compared_with_itself() -> None:
    metrics = ServiceMetrics()
    shadow = Shadow(ShadowPair.parse("convnet:convnet@latest"), metrics)
    loaded = {number: version("convnet", FirstPixel(), number) for number in (1, 2)}
    async with shadowing(shadow, lambda *_: loaded[2]):
        for number in (2, 1):
            shadow.submit(loaded[number].card, images(4), FirstPixel()(images(4)))
        await until(metrics, {"agreed": 1})


async def test_the_service_compares_the_images_of_the_primary_model(serve: Serve, seven: bytes) -> None:
    async with serve(shadow="softmax:convnet") as client:
        for model in ("softmax", "convnet"):
            sent = {"content": seven, "headers": {"content-type": "image/png"}}
            assert (await client.post(f"/predict?model={model}", **sent)).json()["model"] == model
        line = r'digitserve_shadow_images_total\{model="softmax",outcome="\w+",shadow="convnet",version="\d+"\} 1\.0'
        with anyio.fail_after(10):
            while not re.search(line, await metrics(client)):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0)
        assert (await metrics(client)).count("digitserve_shadow_images_total{") == 1


async def metrics(client: object) -> str:
    return str((await client.get("/metrics", headers={"accept": "text/plain"})).text)  # type: ignore[attr-defined]
