"""OpenAPI documentation for paths and bodies that routes parse without FastAPI."""

import re
from typing import Any

from pydantic import BaseModel

_DEFINITION = "#/$defs/"


def path_parameters(path: str) -> list[dict[str, Any]]:
    """Return the OpenAPI parameters of a path template."""
    return [
        {"in": "path", "name": name, "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", path)
    ]


def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON schema of a model, with all references replaced. The model must not contain itself."""
    schema = model.model_json_schema()
    resolved: dict[str, Any] = _resolve(schema, schema.pop("$defs", {}))
    return resolved


def _resolve(part: Any, definitions: dict[str, Any]) -> Any:  # noqa: ANN401 - any part of a JSON document
    match part:
        case {"$ref": str(reference)} if reference.startswith(_DEFINITION):
            return _resolve(definitions[reference.removeprefix(_DEFINITION)], definitions)
        case dict():
            return {key: _resolve(value, definitions) for key, value in part.items()}
        case list():
            return [_resolve(value, definitions) for value in part]
        case _:
            return part
