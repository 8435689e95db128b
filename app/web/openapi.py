"""Describes for OpenAPI what FastAPI cannot derive: requests that routes parse themselves, and errors."""

import json
import re
from typing import Any

from fastapi import Response
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from app.schemas import Problem, ProtocolError
from app.web import problems
from app.web.example_errors import ALL
from app.web.picture_frames import HEADER

Description = dict[str, Any]
Responses = dict[int | str, dict[str, Any]]

REFERENCE = "#/components/schemas/{model}"
BINARY: Description = {"type": "string", "format": "binary"}
"""The schema of a file."""
_REQUEST_ID = "5f0c3a9be1d24c56"
_PICTURE_TYPES = ("png", "jpeg", "gif", "tiff", "bmp", "webp", "heic", "avif", "x-portable-anymap")
_ONE_PICTURE = (
    "The picture as the part `file` of a form, or as the body itself. The type of the picture is detected from its "
    "bytes. The body itself may have the type `application/octet-stream` or any `image/*`."
)
_SEVERAL_PICTURES = "Each picture as a part `file` of one form. Their types are detected from their bytes."
_PATH_PARAMETERS: dict[str, tuple[str, Description]] = {
    "model": ("The name of the model.", {"type": "string", "examples": ["convnet"]}),
    "version": (
        "The number of the version. Under `/v1`, 0 is the default version; under `/v2`, -1 is the newest.",
        {"type": "integer"},
    ),
    "label": ("`stable` for the default version, or `latest` for the newest.", {"type": "string"}),
}


class _ParameterSchema(GenerateJsonSchema):
    """Generates the schemas of parameters and fields of forms, which are left out instead of null.

    Without defaults: some generated clients send them, in the query and in the form, where they contradict what the
    caller sets in the other.
    """

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401, ARG002 - a type that pydantic keeps private
        return False


def _response(description: str, response: Response) -> Description:
    """Describe a kind of error response, by one of them."""
    model = Problem if response.media_type == problems.MEDIA_TYPE else ProtocolError
    schema = {"$ref": REFERENCE.format(model=model.__name__)}
    headers = {
        name: {"schema": {"type": "string"}, "example": value}
        for name, value in problems.HEADERS.get(response.status_code, {}).items()
    }
    return {"description": description, "content": {response.media_type: {"schema": schema}}, "headers": headers}


def path_parameters(path: str) -> list[Description]:
    """Describe the parameters of a path template under `/v1` or `/v2`."""
    return [
        {"in": "path", "name": name, "required": True, "description": description, "schema": schema}
        for name in re.findall(r"{(\w+)}", path)
        for description, schema in [_PATH_PARAMETERS[name]]
    ]


def picture_request(form: str, parameters: type[BaseModel], *, several: bool = False) -> Description:
    """Describe a request with one or several pictures.

    Args:
        form: the name of the schema of the form.
        parameters: the parameters of the query, which can also be fields of the form.
        several: whether the form can have several pictures. One picture can also be the body itself.

    """
    fields = parameters.model_json_schema(schema_generator=_ParameterSchema)["properties"]
    file = {"type": "array", "items": BINARY, "minItems": 1} if several else BINARY
    schema = {"title": form, "type": "object", "required": ["file"], "properties": {"file": file, **fields}}
    types = ", ".join(f"image/{name}" for name in _PICTURE_TYPES)
    content: Description = {"multipart/form-data": {"schema": schema, "encoding": {"file": {"contentType": types}}}}
    if not several:
        content["application/octet-stream"] = {"schema": BINARY}
    return {
        "parameters": [
            {"in": "query", "name": name, "required": False, "description": field["description"], "schema": field}
            for name, field in fields.items()
        ],
        "requestBody": {
            "required": True,
            "description": _SEVERAL_PICTURES if several else _ONE_PICTURE,
            "content": content,
        },
    }


def json_request(model: type[BaseModel], *, required: bool = True, binary: bool = False) -> Description:
    """Describe a request with a JSON body, or also with a binary one."""
    content: Description = {"application/json": {"schema": model.model_json_schema(ref_template=REFERENCE)}}
    if binary:
        content["application/octet-stream"] = {"schema": BINARY}
    return {"requestBody": {"required": required, "content": content}}


def responses(path: str, *errors: Exception) -> Responses:
    """Describe the errors of a route by examples, besides those that every route can have.

    Args:
        path: of the route.
        errors: that the route raises or that requests to it are refused with, as examples.

    """
    documented: Responses = {}
    for error in (*errors, *ALL):
        problem_type = problems.problem_type_of(error)
        problem = problems.create_problem(
            problem_type, problems.public_detail(error), instance=path, request_id=_REQUEST_ID
        )
        response = problems.problem_response(problem)
        example = {"summary": problem.title, "value": json.loads(bytes(response.body))}
        described = documented.setdefault(response.status_code, _response("", response))
        described["content"][response.media_type].setdefault("examples", {})[problem_type.name] = example
        titles = [*filter(None, described["description"].split("; ")), problem.title]
        described["description"] = "; ".join(dict.fromkeys(titles))
    # `default` covers errors of the framework, and prevents it from documenting a 422 that is never sent.
    documented["default"] = _response("Any other error", response)
    return dict(sorted(documented.items(), key=lambda item: str(item[0])))


def picture_responses(path: str, *errors: Exception) -> Responses:
    """Describe the responses of a route for pictures, as `responses` does."""
    description = "Only if a picture has several pages or frames: tells that the first is used, such as `first of 3`."
    header = {"description": description, "schema": {"type": "string"}}
    return {200: {"headers": {HEADER: header}}, **responses(path, *errors)}
