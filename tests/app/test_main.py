import asyncio

import httpx
import pytest

from tests.conftest import Serve

pytestmark = pytest.mark.anyio


async def test_the_documentation_page_loads_nothing_from_other_hosts(client: httpx.AsyncClient) -> None:
    page = (await client.get("/docs")).text
    assert "//" not in page.split("<script>")[0]
    for address in ("static-offline-docs/swagger-ui-bundle.js", "static-offline-docs/swagger-ui.css"):
        assert f'"{address}"' in page
        assert (await client.get(f"/{address}")).status_code == 200


async def test_openapi_documents_the_request_and_responses_of_predict(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    predict = document["paths"]["/predict"]["post"]
    assert set(predict["requestBody"]["content"]) == {"multipart/form-data", "application/octet-stream"}
    assert {parameter["name"] for parameter in predict["parameters"]} == {"model", "version", "seen"}
    errors = {"400", "401", "403", "404", "408", "413", "415", "422", "431", "500", "503", "504", "default"}
    assert set(predict["responses"]) == {"200", *errors}
    assert document["components"]["schemas"]["Prediction"]["examples"]
    for path in document["paths"].values():
        for operation in path.values():
            assert "HTTPValidationError" not in str(operation)


async def test_openapi_documents_the_default_version(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    parameters = [
        each for path in paths.values() for operation in path.values() for each in operation.get("parameters", ())
    ]
    versions = [each for each in parameters if (each["in"], each["name"]) == ("query", "version")]
    assert len(versions) == 6
    for version in versions:
        described = version.get("description") or version["schema"]["description"]
        assert "`MODEL_VERSIONS`, or else the newest" in described


async def test_unknown_paths_and_methods_are_problems(client: httpx.AsyncClient) -> None:
    for response, status in ((await client.get("/nowhere"), 404), (await client.put("/predict"), 405)):
        assert response.status_code == response.json()["status"] == status
        assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["allow"] == "POST"


@pytest.mark.parametrize("path", ["/", "/health/live", "/health/ready", "/metrics", "/models", "/docs", "/v2"])
async def test_head_has_the_headers_of_get_and_no_body(client: httpx.AsyncClient, path: str) -> None:
    head, get = await client.head(path), await client.get(path)
    assert head.status_code == get.status_code == 200
    assert head.headers["content-length"] == get.headers["content-length"] == str(get.num_bytes_downloaded)
    assert head.headers["content-type"] == get.headers["content-type"]
    assert head.content == b""


async def test_requests_past_the_concurrency_limit_are_refused(serve: Serve, seven: bytes) -> None:
    async def post(client: httpx.AsyncClient) -> httpx.Response:
        return await client.post("/predict", content=seven, headers={"content-type": "image/png"})

    async with serve(most_at_once=10) as client:
        answers = await asyncio.gather(*(post(client) for _ in range(30)))
        assert {answer.status_code for answer in answers} == {200, 503}
        refused = next(answer for answer in answers if answer.status_code == 503)
        assert refused.headers["retry-after"] == "1"
        assert refused.json()["request_id"] == refused.headers["x-request-id"]
        assert (await post(client)).status_code == 200


PAGE = {"Origin": "https://digits.example", "Host": "127.0.0.1:8000"}


async def test_a_page_of_an_allowed_origin_can_read_all_responses(serve: Serve, seven: bytes) -> None:
    preflight_headers = {
        **PAGE,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    async with serve(allowed_origins="https://digits.example", max_files=1) as client:
        preflight = await client.options("/predict", headers=preflight_headers)
        read = await client.post("/predict", content=seven, headers={**PAGE, "Content-Type": "image/png"})
        refused = await client.post("/predict", content=b"text", headers={**PAGE, "Content-Type": "image/png"})
        listed = await client.get("/models", headers=PAGE)
        other = await client.options("/predict", headers={**preflight_headers, "Origin": "https://elsewhere.example"})
    assert [preflight.status_code, read.status_code, refused.status_code, other.status_code] == [200, 200, 415, 400]
    for answer in (preflight, read, refused, listed):
        assert answer.headers["access-control-allow-origin"] == "https://digits.example"
        assert "Origin" in answer.headers["vary"]
    assert "x-picture-frame" in read.headers["access-control-expose-headers"].lower()
    assert "content-type" in preflight.headers["access-control-allow-headers"].lower()
    assert "access-control-allow-origin" not in other.headers


async def test_a_page_of_another_origin_can_read_no_response(client: httpx.AsyncClient) -> None:
    answers = [await client.post("/predict", headers=PAGE), await client.get("/models", headers=PAGE)]
    assert [answer.status_code for answer in answers] == [403, 200]
    for answer in answers:
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("path", ["/predict/", "/predict/batch/", "/predict//"])
async def test_a_slash_at_the_end_makes_no_difference(client: httpx.AsyncClient, seven: bytes, path: str) -> None:
    response = await client.post(path, files={"file": seven})
    assert response.status_code == 200
    for get in ("/health/ready/", "/models/", "/v2/"):
        assert (await client.get(get)).status_code == 200
    assert (await client.get("/nowhere/")).status_code == 404


async def test_a_service_under_a_prefix_answers_with_and_without_it(serve: Serve, seven: bytes) -> None:
    async with serve(root_path="/team/digits") as client:
        for prefix in ("", "/team/digits"):
            response = await client.post(f"{prefix}/predict/", content=seven)
            assert (response.status_code, response.json()["digit"]) == (200, 7)
            assert (await client.get(f"{prefix}/docs")).status_code == 200
            assert "<title>" in (await client.get(f"{prefix}/", headers={"accept": "text/html"})).text
            docs = await client.get(f"{prefix}/docs/")
            assert docs.url.join(docs.headers["location"]).path == f"{prefix}/docs"
        redirect = await client.get("/team/digits")
        assert redirect.url.join(redirect.headers["location"]).path == "/team/digits/"
        assert (await client.post("/team/digitspredict", content=seven)).status_code == 404
        assert (await client.get("/openapi.json")).json()["servers"] == [{"url": "/team/digits"}]


async def test_a_service_that_will_stop_is_not_ready_and_still_answers(serve: Serve, seven: bytes) -> None:
    async with serve() as client:
        application = client._transport.app  # type: ignore[attr-defined]
        application.state.catalogue.report_stopping()
        ready = await client.get("/health/ready")
        assert ready.status_code == 503
        assert "stopping" in ready.json()["detail"]
        assert (await client.get("/health/live")).status_code == 200
        assert (await client.get("/v2/health/ready")).status_code == 503
        assert (await client.post("/predict", content=seven)).json()["digit"] == 7
