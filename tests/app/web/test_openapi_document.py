"""The whole document, as FastAPI makes it from the routes and `openapi_document` completes it."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import httpx
import pytest

from app.main import create_app
from app.schemas import Correction, Prediction, Problem, ProtocolError, Reading
from app.settings import Settings
from tests.conftest import Serve


@cache
def document() -> dict[str, Any]:
    return create_app(Settings()).openapi()


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def nodes(part: object) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        yield part
    for child in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from nodes(child)


def find(reference: str) -> object:
    part: Any = document()
    for name in reference.removeprefix("#/").split("/"):
        part = part[name]
    return part


def test_every_reference_leads_somewhere() -> None:
    references = {node["$ref"] for node in nodes(document()) if isinstance(node.get("$ref"), str)}
    assert len(references) > 50
    assert all(find(reference) is not None for reference in references)


def test_every_schema_is_used_and_has_a_title_of_its_own() -> None:
    schemas = document()["components"]["schemas"]
    titles = [schema.get("title", name) for name, schema in schemas.items()]
    assert len(set(titles)) == len(titles)
    assert all("__" not in name for name in schemas)  # FastAPI's name for one of two schemas of the same name
    text = str(document())
    assert [name for name in schemas if f"'#/components/schemas/{name}'" not in text] == []
    inline = [node["title"] for path in document()["paths"].values() for node in nodes(path) if "properties" in node]
    assert inline == []


def test_operation_ids_are_short_and_unique() -> None:
    ids = [operation["operationId"] for _, _, operation in operations()]
    assert len(set(ids)) == len(ids)
    assert {"predict", "predict_batch", "read", "correct", "v2_infer", "v2_infer_with_version"} <= set(ids)
    assert {"v1_predict", "v1_predict_with_version", "v1_predict_with_label"} <= set(ids)


def test_every_operation_is_described() -> None:
    tags = {tag["name"]: tag["description"] for tag in document()["tags"]}
    for path, _, operation in operations():
        assert operation["summary"]
        assert operation["description"]
        assert set(operation["tags"]) <= tags.keys(), path
        for parameter in operation.get("parameters", ()):
            assert parameter["description"], (path, parameter)
    assert {tag for _, _, operation in operations() for tag in operation["tags"]} == tags.keys()
    assert document()["info"]["license"] == {"name": "MIT", "identifier": "MIT"}


def test_every_error_has_the_schema_and_examples_of_its_form() -> None:
    for path, _, operation in operations():
        media_type, model = (
            ("application/json", ProtocolError)
            if path.startswith(("/v1", "/v2"))
            else ("application/problem+json", Problem)
        )
        errors = {status: response for status, response in operation["responses"].items() if status[0] in "45d"}
        assert {"431", "500", "default"} <= errors.keys()
        for status, response in errors.items():
            if (path, status) == ("/v2/health/ready", "503"):
                continue
            assert list(response["content"]) == [media_type]
            content = response["content"][media_type]
            assert content["schema"] == {"$ref": f"#/components/schemas/{model.__name__}"}
            assert bool(content.get("examples")) is (status != "default")
            for example in content.get("examples", {}).values():
                problem = model.model_validate(example["value"])
                if isinstance(problem, Problem):
                    assert (str(problem.status), problem.instance.split("/")[1]) == (status, path.split("/")[1])


def test_post_requests_can_have_a_token() -> None:
    assert {scheme["scheme"] for scheme in document()["components"]["securitySchemes"].values()} == {"bearer"}
    for path, method, operation in operations():
        token = "AdminToken" if re.search("/(un)?load$", path) else "PredictToken"
        assert operation["security"] == ([{}, {token: []}] if method == "post" else []), path


def test_responses_have_the_headers_of_the_service() -> None:
    for _, _, operation in operations():
        for response in operation["responses"].values():
            assert {"X-Request-ID", "Server-Timing"} <= response["headers"].keys()
    predict = document()["paths"]["/predict"]["post"]["responses"]
    assert "X-Picture-Frame" in predict["200"]["headers"]
    assert "Retry-After" in predict["503"]["headers"]
    assert "WWW-Authenticate" in predict["401"]["headers"]


def test_the_examples_keep_their_nulls() -> None:
    for model in (Prediction, Reading):
        [example] = document()["components"]["schemas"][model.__name__]["examples"]
        assert model.model_validate(example)
    assert document()["components"]["schemas"]["Prediction"]["examples"][0]["reason"] is None


def test_tensors_that_follow_the_json_have_no_data() -> None:
    assert document()["components"]["schemas"]["RequestInput"]["required"] == ["name", "shape", "datatype"]
    header = document()["paths"]["/v2/models/{model}/infer"]["post"]["parameters"][-1]
    assert (header["in"], header["name"], header["required"]) == ("header", "Inference-Header-Content-Length", False)


def test_the_label_of_a_correction_is_a_number_or_a_word() -> None:
    label = Correction.model_json_schema()["properties"]["label"]
    assert [each["type"] for each in label["anyOf"]] == ["integer", "string"]


@pytest.mark.anyio
async def test_the_document_names_the_prefix_and_is_the_same_each_time(serve: Serve) -> None:
    assert document()["servers"] == [{"url": "/"}]
    async with serve(root_path="/team/digits") as client:
        first, second = [(await client.get("/openapi.json")).json() for _ in range(2)]
    assert first["servers"] == [{"url": "/team/digits"}]
    assert first == second
    assert first["components"] == document()["components"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("path", "status", "name", "body"),
    [
        ("/predict?modle=x", 400, "malformed-request", b""),
        ("/predict?model=finder", 400, "not-a-classifier", None),
        ("/predict", 415, "unsupported-picture", b"%PDF-1.7"),
        ("/v1/models/convnet:predict", 400, "malformed-request", b"{}"),
    ],
)
async def test_examples_are_what_the_service_says(
    client: httpx.AsyncClient, seven: bytes, path: str, status: int, name: str, body: bytes | None
) -> None:
    response = await client.post(path, content=seven if body is None else body)
    route = path.split("?", maxsplit=1)[0].replace("convnet", "{model}")
    [content] = document()["paths"][route]["post"]["responses"][str(status)]["content"].values()
    example = content["examples"][name]["value"]
    found = response.json()
    assert response.status_code == status
    assert found | {"request_id": ""} == example | {"request_id": ""}
