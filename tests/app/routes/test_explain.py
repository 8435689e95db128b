import httpx
import numpy as np
import pytest

from app.schemas import Occlusion, WeightImages
from imaging import preprocess_picture

pytestmark = pytest.mark.anyio

PNG = {"content-type": "image/png"}


@pytest.mark.parametrize("model", ["convnet", "softmax"])
async def test_the_occlusion_map_agrees_with_the_prediction(
    client: httpx.AsyncClient, seven: bytes, model: str
) -> None:
    prediction = (await client.post(f"/predict?model={model}", content=seven, headers=PNG)).json()
    found = Occlusion.model_validate(
        (await client.post(f"/explain?model={model}", content=seven, headers=PNG)).raise_for_status().json()
    )
    assert (found.model, found.version, found.digit) == (
        prediction["model"],
        prediction["version"],
        prediction["digit"],
    )
    assert found.confidence == pytest.approx(prediction["confidence"], abs=1e-5)
    confidences = np.array(found.confidences)
    assert confidences.shape == np.shape(found.digits) == (12, 12)
    assert confidences[0, 0] == pytest.approx(found.confidence, abs=1e-5)  # a corner has no ink to cover
    assert confidences.min() < found.confidence - 0.01
    assert (np.array(found.digits)[confidences > 0.5] == found.digit).all()


async def test_a_form_and_a_raw_body_have_the_same_map(client: httpx.AsyncClient, seven: bytes) -> None:
    form = await client.post("/explain", files={"file": ("seven.png", seven, "image/png")})
    assert form.json() == (await client.post("/explain", content=seven, headers=PNG)).json()


async def test_weights_and_biases_give_the_probabilities(client: httpx.AsyncClient, seven: bytes) -> None:
    prediction = (await client.post("/predict?model=softmax", content=seven, headers=PNG)).json()
    response = await client.get(f"/models/softmax/weights?version={prediction['version']}")
    found = WeightImages.model_validate(response.raise_for_status().json())
    assert response.headers["cache-control"] == "public, max-age=86400"
    card = next(model for model in (await client.get("/models")).json()["models"] if model["name"] == "softmax")
    temperature = next(one for one in card["versions"] if one["version"] == prediction["version"])["card"][
        "temperature"
    ]
    weights, ink = np.array(found.weights), preprocess_picture(seven).image / 255
    assert weights.shape == (10, 28, 28)
    scores = np.exp(((weights * ink).sum(axis=(1, 2)) + found.biases) / temperature)
    np.testing.assert_allclose(scores / scores.sum(), prediction["probabilities"], atol=1e-3)


async def test_the_weights_of_the_default_version_are_not_cached(client: httpx.AsyncClient) -> None:
    assert (await client.get("/models/softmax/weights")).headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    ("path", "status", "type_"),
    [
        ("/models/convnet/weights", 404, "not-affine"),
        ("/models/forest/weights", 404, "unknown-model"),
        ("/models/softmax/weights?version=99", 404, "unknown-version"),
        ("/models/softmax/weights?version=0", 400, "malformed-request"),
    ],
)
async def test_weights_that_do_not_exist_are_a_problem(
    client: httpx.AsyncClient, path: str, status: int, type_: str
) -> None:
    response = await client.get(path)
    assert (response.status_code, response.json()["type"]) == (status, f"urn:digitserve:problem:{type_}")


@pytest.mark.parametrize(
    ("query", "body", "content_type", "status"),
    [
        ("", b"no picture", "image/png", 415),
        ("", b"{}", "application/json", 415),
        ("", b"", "image/png", 400),
        ("?model=forest", b"x", "image/png", 404),
        ("?version=none", b"x", "image/png", 400),
    ],
)
async def test_an_invalid_request_to_explain_is_a_problem(
    client: httpx.AsyncClient, query: str, body: bytes, content_type: str, status: int
) -> None:
    response = await client.post(f"/explain{query}", content=body, headers={"content-type": content_type})
    assert response.status_code == response.json()["status"] == status
