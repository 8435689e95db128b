"""Documents for OpenAPI what the framework cannot see: paths and bodies that a route reads by itself."""

import re
from typing import Any

from pydantic import BaseModel

_DEFINITION = "#/$defs/"


def path_parameters(path: str) -> list[dict[str, Any]]:
    """Document the parameters of a path."""
    return [
        {"in": "path", "name": name, "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", path)
    ]


def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Give the schema of a model that does not contain itself, its parts in their places and not by reference."""
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
