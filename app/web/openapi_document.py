"""Completes the OpenAPI document that FastAPI makes from the routes. Knows no route."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from app.schemas import Prediction, Problem, ProtocolError, Reading
from app.web.auth import ADMIN_PREFIX
from app.web.openapi import REFERENCE, Description

SUMMARY = "Recognises handwritten digits in pictures."
DESCRIPTION = """\
Send a picture of one digit to `POST /predict`, or a picture of several digits to `POST /read`.

- An error has a status of 400 or above, and the type `application/problem+json` (RFC 9457). Its `detail` says what was
  wrong, what was expected and what to do. Under `/v1` and `/v2`, errors have the form of these protocols.
- A model that is not sure says so: `abstained` is then true, and `reason` says why.
- If the setting `PREDICT_TOKEN` is set, POST requests need it as a bearer token.
"""
LICENCE = {"name": "MIT", "identifier": "MIT"}
_SECURITY_SCHEMES: Mapping[str, Description] = {
    "PredictToken": {
        "type": "http",
        "scheme": "bearer",
        "description": "The value of the setting `PREDICT_TOKEN`. POST requests need it if it is set.",
    },
    "AdminToken": {
        "type": "http",
        "scheme": "bearer",
        "description": "The value of the setting `ADMIN_TOKEN`. Requests to load or unload a model need it if it is "
        "set, or if the service listens on an address that other machines can reach.",
    },
}
_HEADERS: Mapping[str, Description] = {
    "X-Request-ID": {
        "description": "The id of the request, also in the log. A client can send its own in this header.",
        "schema": {"type": "string", "maxLength": 64},
    },
    "Server-Timing": {
        "description": "The time in milliseconds that the service took, such as `total;dur=1.9`.",
        "schema": {"type": "string"},
    },
}
"""The headers of all responses."""


def operation_id(route: APIRoute) -> str:
    """Name an operation, as generated clients will call it: `predict`, or `v1_predict_with_version`."""
    protocols = re.findall(r"^/(v[12])\b", route.path)
    choices = re.findall(r"{(version|label)}", route.path)
    return "_".join([*protocols, route.name, *(f"with_{choice}" for choice in choices)])


def install(app: FastAPI) -> None:
    """Let the application complete its document when it is first asked for it."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            complete(generate())  # which keeps the document that is completed in place
        return generate()

    app.openapi = openapi  # type: ignore[method-assign]


def complete(document: Description) -> None:
    """Add the tokens, the headers and the schemas of errors and of requests that routes parse themselves."""
    components = document["components"]
    components["securitySchemes"] = _SECURITY_SCHEMES
    components["headers"] = _HEADERS
    schemas = components["schemas"]
    schemas |= {model.__name__: model.model_json_schema() for model in (Problem, ProtocolError)}
    for model in (Prediction, Reading):  # FastAPI removes the nulls of examples
        schemas[model.__name__] |= model.model_config["json_schema_extra"]
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in _HEADERS}
    for path, method, operation in _operations(document):
        token = "AdminToken" if path.startswith(ADMIN_PREFIX) else "PredictToken"
        operation["security"] = [{}, {token: []}] if method == "post" else []
        for response in operation["responses"].values():
            response["headers"] = {**headers, **response.get("headers", {})}
        for content in operation.get("requestBody", {}).get("content", {}).values():
            _move_definitions(content, schemas)
    components["schemas"] = dict(sorted(schemas.items()))


def _operations(document: Description) -> Iterator[tuple[str, str, Description]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _move_definitions(content: Description, schemas: Description) -> None:
    """Move the schema of a body, if it has a title, and the definitions in it to the schemas of the document."""
    schema = content["schema"]
    schemas.update(schema.pop("$defs", {}))
    if title := schema.get("title"):
        schemas[title] = schema
        content["schema"] = {"$ref": REFERENCE.format(model=title)}
