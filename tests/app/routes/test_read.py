"""`/read` with the real convnet, a tiny finder engine, and dark blobs for the digits that it finds."""

import asyncio
import base64
import io
import re
import shutil
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from app.prediction.digit_finder import FoundDigit
from app.prediction.finder_maps import RunFinder
from app.prediction.reader import MAX_DIGITS
from app.schemas import Problem, Reading
from imaging import decode, encode_png
from tests.app.dark_blobs import CELL, draw_page, find_dark_blobs, page_file, replace_search
from tests.app.tiny_finder import publish_finder
from tests.conftest import Serve, newest

pytestmark = pytest.mark.anyio

PNG = {"content-type": "image/png"}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the newest convnet and the tiny finder."""
    folder = tmp_path_factory.mktemp("models")
    shutil.copytree(newest("convnet"), folder / "convnet" / newest("convnet").name)
    publish_finder(folder)
    return folder


@pytest.fixture(scope="module", autouse=True)
def _dark_blobs() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        replace_search(patch, find_dark_blobs)
        yield


@pytest.fixture(scope="module")
async def client(anyio_backend: str, serve: Serve, models: Path) -> AsyncIterator[httpx.AsyncClient]:
    # A busy machine takes seconds to start the process for large pictures.
    async with serve(models_dir=models, required_models={"convnet"}, deadline_seconds=60) as client:
        yield client


async def post(client: httpx.AsyncClient, data: bytes, query: str = "") -> httpx.Response:
    return await client.post(f"/read{query}", content=data, headers=PNG)


async def read(client: httpx.AsyncClient, data: bytes, query: str = "") -> Reading:
    response = await post(client, data, query)
    assert response.status_code == 200, response.text
    return Reading.model_validate(response.json())


def form(*pictures: bytes) -> list[tuple[str, tuple[str, bytes, str]]]:
    return [("file", (f"{place}.png", picture, "image/png")) for place, picture in enumerate(pictures)]


def assert_problem(response: httpx.Response, status: int, name: str) -> None:
    problem = Problem.model_validate(response.json())
    assert (response.status_code, problem.type) == (status, f"urn:digitserve:problem:{name}")


@contextmanager
def stuck_finding(patch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Let the finding of digits wait until the context ends; yield the event that it has begun."""
    began, gate = threading.Event(), threading.Event()

    def wait(scene_pixels: NDArray[np.uint8], run: RunFinder, *, thorough: bool) -> list[FoundDigit]:
        began.set()
        gate.wait(20)
        return []

    with patch.context() as context:
        replace_search(context, wait)
        try:
            yield began
        finally:
            gate.set()


async def test_a_number_is_read_from_left_to_right(client: httpx.AsyncClient) -> None:
    reading = await read(client, page_file(["7017"]))
    assert reading.text == "7017"
    assert [line.text for line in reading.lines] == ["7017"]
    assert (reading.width, reading.height) == (4 * CELL, CELL)
    assert (reading.model, reading.version) == ("convnet", int(newest("convnet").name))
    assert (reading.finder_version, reading.truncated) == (1, False)


async def test_lines_are_joined_by_line_feeds(client: httpx.AsyncClient) -> None:
    reading = await read(client, page_file(["70 1", "", "  77", "1"]))
    assert reading.text == "701\n77\n1"
    assert [line.text for line in reading.lines] == reading.text.split("\n")


async def test_each_digit_has_what_a_prediction_has(client: httpx.AsyncClient) -> None:
    response = (await post(client, page_file(["71"]))).json()
    (line,) = response["lines"]
    assert line["confidence"] == min(digit["confidence"] for digit in line["digits"])
    for digit in line["digits"]:
        assert set(digit) == {"digit", "confidence", "probabilities", "box", "abstained", "reason"}
        assert digit["probabilities"][digit["digit"]] == max(digit["probabilities"]) == digit["confidence"]
        assert (digit["abstained"], digit["reason"]) == (False, None)


@pytest.mark.parametrize("scale", [1, 10])
async def test_boxes_are_in_the_pixels_of_the_picture(client: httpx.AsyncClient, scale: int) -> None:
    reading = await read(client, page_file(["7   1"], scale=scale))
    assert (reading.width, reading.height) == (5 * CELL * scale, CELL * scale)
    for digit, (left, right) in zip(reading.lines[0].digits, [(16, 43), (268, 272)], strict=True):
        x, y, width, height = np.array(digit.box) / scale
        assert (x, x + width) == pytest.approx((left, right), abs=3)
        assert (y, y + height) == pytest.approx((9, 50), abs=3)


@pytest.mark.parametrize("orientation", [3, 6, 8])
async def test_boxes_are_upright_by_exif(client: httpx.AsyncClient, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = draw_page(["71 ", "   "])
    turns = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    stored = stored.transpose(turns[orientation])
    file = io.BytesIO()
    stored.save(file, "PNG", exif=exif)
    with Image.open(file) as picture:
        assert ImageOps.exif_transpose(picture).size == (3 * CELL, 2 * CELL)
    upright, turned = await read(client, page_file(["71 ", "   "])), await read(client, file.getvalue())
    assert turned == upright


async def test_a_digit_that_is_not_trusted_is_a_question_mark(client: httpx.AsyncClient) -> None:
    page = draw_page(["7 1"])
    page.paste((0, 0, 0), (CELL + 15, 15, CELL + 45, 45))  # a blot between the digits
    reading = await read(client, encode_png(np.asarray(page.convert("L"))))
    assert reading.text in ("7?1", "71")  # the blot is not trusted, or left out
    for digit, character in zip(reading.lines[0].digits, reading.text, strict=True):
        assert digit.abstained == (digit.reason is not None) == (character == "?")


async def test_a_blank_sheet_has_an_empty_text(client: httpx.AsyncClient) -> None:
    for data in (page_file(["   ", "   "]), encode_png(np.full((1, 1), 255, np.uint8))):
        reading = await read(client, data)
        assert (reading.text, reading.lines, reading.truncated) == ("", [], False)


async def test_only_the_first_digits_of_very_many_are_read(client: httpx.AsyncClient) -> None:
    reading = await read(client, page_file(["7" * 20] * 21))
    assert reading.truncated
    assert sum(len(line.digits) for line in reading.lines) == MAX_DIGITS == 400
    assert reading.text == "\n".join(["7" * 20] * 20)
    exactly = await read(client, page_file(["7" * 20] * 20))
    assert (exactly.truncated, exactly.text) == (False, reading.text)


async def test_seen_is_the_image_of_each_digit(client: httpx.AsyncClient) -> None:
    reading = await read(client, page_file(["71"]), "?seen=true")
    for digit in reading.lines[0].digits:
        predicted = await client.post(
            "/predict", content=base64.b64decode(str(digit.seen).partition(",")[2]), headers=PNG
        )
        assert predicted.json()["digit"] == digit.digit


async def test_a_form_and_a_raw_body_have_the_same_reading(client: httpx.AsyncClient) -> None:
    page = page_file(["701"])
    part = await client.post("/read", files=form(page))
    assert part.json() == (await post(client, page)).json()


async def test_large_pictures_are_read_too(client: httpx.AsyncClient) -> None:
    noise = np.random.default_rng(0).integers(200, 256, (900, 1600, 3), dtype=np.uint8)
    page = np.minimum(noise, np.asarray(draw_page(["7017", "1"]).resize((1600, 900))))
    file = io.BytesIO()
    Image.fromarray(page).save(file, "JPEG", quality=95)
    assert (await read(client, file.getvalue())).text == "7017\n1"


@pytest.mark.parametrize(
    ("data", "status", "name"),
    [
        (b"", 400, "malformed-request"),
        (b"no picture", 415, "unsupported-picture"),
        (b"no picture" * 1000, 415, "unsupported-picture"),
        (page_file(["7"])[:80], 422, "unreadable-picture"),
        (encode_png(np.zeros((30_000, 1_000), np.uint8)), 413, "picture-too-large"),
        (bytes(9 * 1024**2), 413, "request-too-large"),
    ],
    ids=["empty", "no picture", "no large picture", "cut short", "many pixels", "many bytes"],
)
async def test_bad_pictures_are_refused(client: httpx.AsyncClient, data: bytes, status: int, name: str) -> None:
    assert_problem(await post(client, data), status, name)


async def test_bad_parameters_are_refused(client: httpx.AsyncClient) -> None:
    page = page_file(["7"])
    for query, status, name in (
        ("?model=none", 404, "unknown-model"),
        ("?version=99", 404, "unknown-version"),
        ("?version=x", 400, "malformed-request"),
        ("?model=finder", 400, "not-a-classifier"),
    ):
        assert_problem(await post(client, page, query), status, name)
    assert_problem(await client.post("/read", files=form(page, page)), 400, "malformed-request")
    assert_problem(await client.post("/read", files=form(b"")), 400, "malformed-request")
    assert_problem(
        await client.post("/read", content=page, headers={"content-type": "text/plain"}), 415, "unsupported-body"
    )


async def test_several_pictures_are_read_in_their_order_and_errors_take_their_places(
    client: httpx.AsyncClient,
) -> None:
    response = await client.post("/read/batch", files=form(page_file(["70"]), b"broken", b"", page_file(["1", "7"])))
    assert response.status_code == 200
    first, broken, empty, last = response.json()["readings"]
    assert Reading.model_validate(first).text == "70"
    assert Problem.model_validate(broken).status == 415
    assert Problem.model_validate(empty).status == 400
    assert Reading.model_validate(last).text == "1\n7"


async def test_a_batch_has_at_least_one_picture(client: httpx.AsyncClient) -> None:
    assert_problem(await client.post("/read/batch", content=page_file(["7"]), headers=PNG), 415, "unsupported-body")
    assert_problem(await client.post("/read/batch", files=[("x", ("x", b""))]), 400, "malformed-request")


@pytest.mark.parametrize("damage", ["missing", "broken"])
async def test_without_a_finder_predict_works_and_read_says_why_it_does_not(
    serve: Serve, models: Path, tmp_path: Path, damage: str
) -> None:
    folder = Path(shutil.copytree(models, tmp_path / "models"))
    if damage == "missing":
        shutil.rmtree(folder / "finder")
    else:
        (folder / "finder" / "1" / "saved_model.pb").write_bytes(b"broken")
    async with serve(models_dir=folder, required_models={"convnet"}) as client:
        page = page_file(["7"])
        for response in (await post(client, page), await client.post("/read/batch", files=form(page))):
            assert_problem(response, 503, "finder-unavailable")
            assert "finder" in response.json()["detail"]
            assert response.headers["retry-after"] == "1"
        assert (await client.post("/predict", content=page, headers=PNG)).json()["digit"] == 7


async def test_readings_and_digits_are_counted(serve: Serve, models: Path) -> None:
    async with serve(models_dir=models, required_models={"convnet"}) as client:
        await read(client, page_file(["701"]))
        await client.post("/read/batch", files=form(page_file(["7"]), b"broken", page_file([" "])))
        metrics = (await client.get("/metrics", headers={"accept": "text/plain"})).text
    version = newest("convnet").name
    labels = f'model="convnet",version="{version}"'
    assert f"digitserve_readings_total{{{labels}}} 3.0" in metrics
    counted = re.findall(
        rf'digitserve_read_digits_total{{model="convnet",reason="",version="{version}"}} (.*)', metrics
    )
    assert counted == ["4.0"]
    assert 'digitserve_refusals_total{reason="unsupported-picture"} 1.0' in metrics
    assert 'digitserve_stage_duration_seconds_count{stage="find"} 3.0' in metrics
    assert f'route="/read",status="200",version="{version}"' in metrics
    assert f'route="/read/batch",status="200",version="{version}"' in metrics
    assert "digitserve_predictions_total{" not in metrics


async def test_each_digit_can_be_corrected(serve: Serve, models: Path, tmp_path: Path) -> None:
    async with serve(
        models_dir=models, required_models={"convnet"}, feedback_dir=str(tmp_path), feedback_key="secret"
    ) as client:
        reading = await read(client, page_file(["71"]))
        digits = reading.lines[0].digits
        for digit, label in zip(digits, (4, "not_a_digit"), strict=True):
            correction = {"prediction_id": digit.prediction_id, "label": label}
            response = await client.post("/feedback", json=correction)
            assert (response.status_code, response.json()["new"]) == (200, True)
    (file,) = (tmp_path / "4").iterdir()
    stored = decode(file.read_bytes())
    assert stored.shape == (28, 28)
    assert stored[4:8, 6:20].any()  # the bar of the 7, not the 1


async def test_a_reading_ends_at_the_deadline(serve: Serve, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve(models_dir=models, required_models={"convnet"}, deadline_seconds=0.3) as client:
        with stuck_finding(monkeypatch):
            assert_problem(await post(client, page_file(["7"])), 504, "deadline-exceeded")
        assert (await read(client, page_file(["7"]))).text == "7"


async def test_readings_that_would_wait_too_long_are_refused(
    serve: Serve, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve(models_dir=models, required_models={"convnet"}, longest_wait_seconds=0.01) as client:
        with stuck_finding(monkeypatch) as began:
            accepted = [asyncio.create_task(post(client, page_file(["7"]))) for _ in range(4)]
            await asyncio.to_thread(began.wait, 10)
            refused = await post(client, page_file(["7"]))
            predicted = await client.post("/predict", content=page_file(["7"]), headers=PNG)
        assert_problem(refused, 503, "overloaded")
        assert "before its digits are found" in refused.json()["detail"]
        assert predicted.json()["digit"] == 7  # which is answered meanwhile
        assert [response.status_code for response in await asyncio.gather(*accepted)] == [200] * 4


async def test_a_token_is_asked_for(serve: Serve, models: Path) -> None:
    async with serve(models_dir=models, required_models={"convnet"}, predict_token="secret") as client:
        for path in ("/read", "/read/batch"):
            assert_problem(await client.post(path, files=form(page_file(["7"]))), 401, "unauthenticated")
        response = await client.post("/read", files=form(page_file(["7"])), headers={"authorization": "Bearer secret"})
        assert response.json()["text"] == "7"


async def test_the_openapi_document_describes_readings(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    operation = document["paths"]["/read"]["post"]
    assert {parameter["name"] for parameter in operation["parameters"]} == {"model", "version", "seen"}
    assert set(operation["requestBody"]["content"]) == {"multipart/form-data", "application/octet-stream"}
    assert operation["responses"]["200"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/Reading"
    }
    example = Reading.model_json_schema()["examples"][0]
    assert Reading.model_validate(example).model_dump(mode="json") == example
    reason = document["components"]["schemas"]["Prediction"]["properties"]["reason"]
    assert "`/read`" in reason["description"]
