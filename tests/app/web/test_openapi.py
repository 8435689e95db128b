from pydantic import BaseModel

from app.web.openapi import json_schema, path_parameters


class Inner(BaseModel):
    value: int


class Outer(BaseModel):
    inner: Inner
    several: list[Inner] = []


def test_all_parameters_of_a_path_are_documented() -> None:
    names = [parameter["name"] for parameter in path_parameters("/v1/models/{model}/labels/{label}:predict")]
    assert names == ["model", "label"]


def test_references_in_a_schema_are_replaced() -> None:
    schema = json_schema(Outer)
    assert "$" not in str(schema)
    inner = schema["properties"]["inner"]
    assert inner["properties"]["value"]["type"] == "integer"
    assert schema["properties"]["several"]["items"] == inner
