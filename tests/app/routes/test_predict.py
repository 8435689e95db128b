import base64
import gzip
import io
import re
import struct
import zlib
from collections.abc import AsyncIterator

import httpx
import numpy as np
import pytest
from PIL import Image

from app.schemas import Prediction, Problem
from imaging import encode_png, preprocess_picture
from tests.conftest import Serve, draw_seven

pytestmark = pytest.mark.anyio

PNG = {"content-type": "image/png"}


async def post(client: httpx.AsyncClient, data: bytes, query: str = "", type_: str = "image/png") -> httpx.Response:
    return await client.post(f"/predict{query}", content=data, headers={"content-type": type_})


def form(*pictures: bytes, name: str = "file") -> list[tuple[str, tuple[str, bytes, str]]]:
    return [(name, (f"{place}.png", picture, "image/png")) for place, picture in enumerate(pictures)]


def huge_png() -> bytes:
    """Make a PNG file whose header announces 100,000 x 100,000 pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + chunk + bytes(100)


@pytest.mark.parametrize("model", ["convnet", "softmax"])
async def test_a_raw_body_and_a_form_have_the_same_prediction(
    client: httpx.AsyncClient, seven: bytes, model: str
) -> None:
    raw = await post(client, seven, f"?model={model}")
    part = await client.post(f"/predict?model={model}", files=form(seven))
    assert raw.status_code == part.status_code == 200
    assert raw.json() == part.json()
    prediction = Prediction.model_validate(raw.json())
    assert prediction.digit == 7
    assert prediction.model == model
    assert prediction.probabilities[7] == max(prediction.probabilities) == prediction.confidence
    assert sum(prediction.probabilities) == pytest.approx(1, abs=1e-5)


async def test_the_convnet_does_not_abstain_on_a_clear_seven(client: httpx.AsyncClient, seven: bytes) -> None:
    prediction = (await post(client, seven)).json()
    assert (prediction["model"], prediction["abstained"], prediction["reason"], prediction["seen"]) == (
        "convnet",
        False,
        None,
        None,
    )


async def test_the_model_abstains_on_a_blank_picture(client: httpx.AsyncClient) -> None:
    prediction = (await post(client, encode_png(np.full((50, 50), 255, np.uint8)))).json()
    assert (prediction["abstained"], prediction["reason"]) == (True, "blank")
    assert 0 <= prediction["digit"] <= 9


async def test_abstentions_are_counted_by_their_reason(serve: Serve, seven: bytes) -> None:
    digit = np.asarray(Image.open(io.BytesIO(seven)))
    blank, several_digits = np.full((50, 50), 255, np.uint8), np.concatenate([digit, digit], axis=1)
    async with serve() as client:
        for pixels in (blank, several_digits, several_digits):
            assert (await post(client, encode_png(pixels))).json()["abstained"]
        metrics = (await client.get("/metrics", headers={"accept": "text/plain"})).text
    counted = re.findall(r'digitserve_abstentions_total{.*reason="(\w+)".*} (.*)', metrics)
    assert dict(counted) == {"blank": "1.0", "several_digits": "2.0"}


async def test_seen_is_the_image_that_the_model_saw(client: httpx.AsyncClient, seven: bytes) -> None:
    url = (await post(client, seven, "?seen=true")).json()["seen"]
    kind, _, data = url.partition(",")
    assert kind == "data:image/png;base64"
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    np.testing.assert_array_equal(image, preprocess_picture(seven).image)


@pytest.mark.parametrize("type_", ["PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP", "PPM"])
async def test_every_supported_picture_type_is_decoded(client: httpx.AsyncClient, type_: str) -> None:
    response = await post(client, draw_seven(type_), type_="image/jpeg")  # the bytes decide, not the media type
    assert (response.status_code, response.json()["digit"]) == (200, 7)


async def test_a_request_may_name_a_version(client: httpx.AsyncClient, seven: bytes) -> None:
    newest = (await post(client, seven)).json()["version"]
    assert (await post(client, seven, f"?version={newest}")).json()["version"] == newest


BAD = {
    "empty body": (b"", "", "image/png", 400, "empty"),
    "empty body without a type": (b"", "", "", 400, "empty"),
    "text": (b"seven", "", "text/plain", 415, "text/plain"),
    "text that says it is a picture": (b"seven" * 100, "", "image/png", 415, "PNG, JPEG"),
    "truncated PNG": (draw_seven("PNG")[:200], "", "image/png", 422, "truncated"),
    "huge PNG": (huge_png(), "", "image/png", 413, "24,000,000"),
    "9 MiB": (bytes(9 * 1024**2), "", "image/png", 413, "8,388,608"),
    "wrong model": (draw_seven("PNG"), "?model=perceptron", "image/png", 404, "convnet"),
    "version 99": (draw_seven("PNG"), "?version=99", "image/png", 404, "Available versions: "),
    "version x": (draw_seven("PNG"), "?version=x", "image/png", 400, "'version' is 'x'"),
    "version 0": (draw_seven("PNG"), "?version=0", "image/png", 400, "'version' is '0'"),
    "seen maybe": (draw_seven("PNG"), "?seen=maybe", "image/png", 400, "'seen' is 'maybe'"),
    "unknown parameter": (draw_seven("PNG"), "?modle=softmax", "image/png", 400, "Did you mean 'model'?"),
    "two models": (draw_seven("PNG"), "?model=convnet&model=softmax", "image/png", 400, "two different values"),
    "empty model": (draw_seven("PNG"), "?model=", "image/png", 400, "'model' is ''"),
    "PDF": (b"%PDF-1.7", "", "image/png", 415, "a PDF document"),
    "base64": (base64.b64encode(draw_seven("PNG")), "", "image/png", 415, "a picture in base64"),
    "form under another type": (
        b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nx\r\n--b--\r\n',
        "",
        "image/png",
        415,
        "The body is a form",
    ),
    "form without a boundary": (b"x", "", "multipart/form-data", 400, "boundary"),
    "broken form": (b"x", "", "multipart/form-data; boundary=b", 400, "cannot be parsed"),
}


@pytest.mark.parametrize(("data", "query", "type_", "status", "word"), BAD.values(), ids=BAD)
async def test_bad_input_has_its_status_and_the_next_request_is_answered(
    client: httpx.AsyncClient, seven: bytes, data: bytes, query: str, type_: str, status: int, word: str
) -> None:
    response = await post(client, data, query, type_)
    assert_problem(response, status, word)
    assert (await post(client, seven)).json()["digit"] == 7


def assert_problem(response: httpx.Response, status: int, word: str) -> None:
    assert response.headers["content-type"] == "application/problem+json"
    problem = Problem.model_validate(response.json())
    assert (response.status_code, problem.status) == (status, status)
    assert word in problem.detail
    assert problem.request_id == response.headers["x-request-id"]
    assert problem.instance == response.request.url.path


async def test_the_limit_holds_for_a_body_of_unknown_length(client: httpx.AsyncClient) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 1
            yield bytes(1024**2)

    assert_problem(await client.post("/predict", content=endless(), headers=PNG), 413, "8,388,608")
    assert sent == 9


async def test_a_form_must_have_one_file(client: httpx.AsyncClient, seven: bytes) -> None:
    assert_problem(await client.post("/predict", files=form(seven, seven)), 400, "/predict/batch")
    assert_problem(await client.post("/predict", files=form(seven, name="picture")), 400, "'file'")
    assert_problem(await client.post("/predict", files=form(b"")), 400, "0 bytes")


async def test_a_batch_is_answered_in_order_and_a_bad_file_affects_no_other(
    client: httpx.AsyncClient, seven: bytes
) -> None:
    blank = encode_png(np.full((50, 50), 255, np.uint8))
    response = await client.post("/predict/batch", files=form(seven, b"rubbish" * 100, blank, b"", seven))
    assert response.status_code == 200
    first, rubbish, empty_page, nothing, last = response.json()["predictions"]
    assert first == last
    assert first["digit"] == 7
    assert empty_page["reason"] == "blank"
    assert (rubbish["status"], rubbish["type"]) == (415, "urn:digitserve:problem:unsupported-picture")
    assert (nothing["status"], nothing["type"]) == (400, "urn:digitserve:problem:malformed-request")
    assert rubbish["request_id"] == response.headers["x-request-id"]


async def test_a_batch_has_the_predictions_of_single_requests(client: httpx.AsyncClient, seven: bytes) -> None:
    pictures = [seven, draw_seven("JPEG"), draw_seven("PNG", (28, 28)), draw_seven("PNG", (60, 40))]
    together = (await client.post("/predict/batch", files=form(*pictures))).json()["predictions"]
    assert together == [(await post(client, picture)).json() for picture in pictures]


async def test_all_pictures_of_a_batch_may_be_bad(client: httpx.AsyncClient) -> None:
    response = await client.post("/predict/batch", files=form(b"a", b"b"))
    assert [item["status"] for item in response.json()["predictions"]] == [415, 415]


async def test_bad_batches_are_refused(client: httpx.AsyncClient, seven: bytes) -> None:
    assert_problem(await client.post("/predict/batch", files=form(*[seven] * 65)), 413, "more than 64 files")
    assert_problem(await client.post("/predict/batch", files=form(seven, name="x")), 400, "'file'")
    assert_problem(await client.post("/predict/batch", content=seven, headers=PNG), 415, "multipart/form-data")
    assert_problem(await client.post("/predict/batch?version=99", files=form(seven)), 404, "no version 99")
    assert len((await client.post("/predict/batch", files=form(*[seven] * 64))).json()["predictions"]) == 64


async def test_limits_are_settings(serve: Serve, seven: bytes) -> None:
    async with serve(max_body_bytes=2000, max_pixels=1000, max_files=1) as client:
        assert_problem(await post(client, bytes(2001)), 413, "2,000")
        assert_problem(await post(client, seven), 413, "1,000")
        assert_problem(await client.post("/predict/batch", files=form(b"a", b"b")), 400, "several files")


async def test_a_request_past_the_deadline_is_a_504(serve: Serve) -> None:
    async with serve(deadline_seconds=1e-9) as client:
        noise = encode_png(np.random.default_rng(0).integers(0, 256, (500, 500), dtype=np.uint8))
        assert_problem(await post(client, noise), 504, "No answer within")


async def test_a_model_that_is_not_ready_responds_with_retry_after(serve: Serve, seven: bytes) -> None:
    async with serve(ready=False) as client:
        response = await post(client, seven)
        assert_problem(response, 503, "still loading")
        assert response.headers["retry-after"] == "1"


async def test_a_query_with_too_many_parameters_is_not_parsed(serve: Serve) -> None:
    async with serve() as client:
        response = await client.post("/predict/batch?" + "a&" * 30, content=b"")
    assert response.status_code == 400
    assert "31 parameters" in response.json()["detail"]


async def test_a_body_without_a_content_type_is_a_picture(client: httpx.AsyncClient, seven: bytes) -> None:
    response = await client.post("/predict", content=seven)
    assert "content-type" not in response.request.headers
    assert (response.status_code, response.json()["digit"]) == (200, 7)
    assert_problem(await client.post("/predict/batch", content=seven), 415, "There is no content type")


@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
async def test_the_fields_of_a_form_are_heeded(client: httpx.AsyncClient, seven: bytes, path: str) -> None:
    version = (await post(client, seven, "?model=softmax")).json()["version"]
    fields = {"model": "softmax", "version": str(version), "seen": "true"}
    answer = (await client.post(path, files=form(seven), data=fields)).json()
    (prediction,) = answer.get("predictions", [answer])
    assert (prediction["model"], prediction["version"]) == ("softmax", version)
    assert prediction["seen"].startswith("data:image/png")
    for data, word in (
        ({"modle": "softmax"}, "'model'"),
        ({"version": "x"}, "form parameter 'version' is 'x'"),
        ({"note": "mine"}, "Known: file, model, version, seen"),
    ):
        assert_problem(await client.post(path, files=form(seven), data=data), 400, word)
    assert_problem(await client.post(path, files=form(seven), data={"model": "perceptron"}), 404, "perceptron")
    both = await client.post(f"{path}?model=convnet", files=form(seven), data=fields)
    assert_problem(both, 400, "'model' has two different values")


async def test_a_compressed_picture_is_decompressed(client: httpx.AsyncClient, seven: bytes) -> None:
    headers = PNG | {"content-encoding": "gzip"}
    response = await client.post("/predict", content=gzip.compress(seven), headers=headers)
    assert (response.status_code, response.json()["digit"]) == (200, 7)
    assert_problem(await client.post("/predict", content=gzip.compress(seven), headers=PNG), 415, "gzip")


async def test_the_first_of_several_frames_is_predicted_and_named(client: httpx.AsyncClient, seven: bytes) -> None:
    digit, blank = Image.open(io.BytesIO(seven)), Image.new("L", (280, 280), 250)
    for type_ in ("TIFF", "GIF", "PNG", "WEBP", "AVIF"):
        file = io.BytesIO()
        digit.save(file, type_, save_all=True, append_images=[blank, digit])
        response = await post(client, file.getvalue())
        assert (response.status_code, response.json()["digit"]) == (200, 7)
        assert response.headers["x-picture-frame"] == "first of 3"
    batch = await client.post("/predict/batch", files=form(seven, file.getvalue()))
    assert batch.headers["x-picture-frame"] == "file 2: first of 3"
    assert "x-picture-frame" not in (await post(client, seven)).headers
