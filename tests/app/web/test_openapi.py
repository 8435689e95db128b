from typing import Annotated

from pydantic import BaseModel, Field

from app import errors
from app.web.openapi import json_request, path_parameters, picture_request, responses


class Inner(BaseModel):
    value: int


class Outer(BaseModel):
    inner: Inner


class Parameters(BaseModel):
    model: Annotated[str | None, Field(min_length=1, description="The model.")] = None
    seen: Annotated[bool, Field(description="Seen.")] = False


def test_all_parameters_of_a_path_are_described() -> None:
    parameters = path_parameters("/v1/models/{model}/labels/{label}:predict")
    assert [parameter["name"] for parameter in parameters] == ["model", "label"]
    assert all(parameter["description"] and parameter["required"] for parameter in parameters)


def test_parameters_are_also_fields_of_the_form_and_neither_null_nor_sent_by_default() -> None:
    request = picture_request("PictureForm", Parameters)
    model = {"type": "string", "minLength": 1, "description": "The model."}
    seen = {"type": "boolean", "description": "Seen."}
    assert [(each["name"], each["description"], each["schema"]) for each in request["parameters"]] == [
        ("model", "The model.", model),
        ("seen", "Seen.", seen),
    ]
    content = request["requestBody"]["content"]
    assert set(content) == {"multipart/form-data", "application/octet-stream"}
    form = content["multipart/form-data"]["schema"]
    assert (form["title"], form["required"]) == ("PictureForm", ["file"])
    assert form["properties"]["model"] == model
    assert form["properties"]["seen"] == seen


def test_several_pictures_are_one_form() -> None:
    content = picture_request("PicturesForm", Parameters, several=True)["requestBody"]["content"]
    assert list(content) == ["multipart/form-data"]
    assert content["multipart/form-data"]["schema"]["properties"]["file"]["type"] == "array"


def test_a_body_refers_to_the_schemas_of_the_document() -> None:
    content = json_request(Outer)["requestBody"]["content"]
    assert content["application/json"]["schema"]["properties"]["inner"] == {"$ref": "#/components/schemas/Inner"}
    assert set(json_request(Outer, binary=True)["requestBody"]["content"]) == {
        "application/json",
        "application/octet-stream",
    }


def test_each_error_is_an_example_of_its_status() -> None:
    described = responses(
        "/predict", errors.RequestTooSlow(60), errors.NotReady("Not now."), errors.Overloaded("Busy.")
    )
    assert list(described) == [408, 431, 500, 503, "default"]
    assert described[503]["description"] == "Not ready; The service is busy"
    assert described[503]["headers"]["Retry-After"]["example"] == "1"
    content = described[503]["content"]["application/problem+json"]
    assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
    assert content["examples"]["overloaded"]["value"] == {
        "type": "urn:digitserve:problem:overloaded",
        "title": "The service is busy",
        "status": 503,
        "detail": "Busy.",
        "instance": "/predict",
        "request_id": "5f0c3a9be1d24c56",
    }


def test_errors_of_a_protocol_have_its_form_and_statuses() -> None:
    described = responses("/v1/models/{model}:predict", errors.UnsupportedBody("No."))
    assert list(described) == [400, 431, 500, "default"]
    content = described[400]["content"]["application/json"]
    assert content["schema"] == {"$ref": "#/components/schemas/ProtocolError"}
    assert content["examples"]["unsupported-body"]["value"] == {"error": "No."}
