from pydantic import BaseModel

from app.web.openapi import json_schema, path_parameters


class Inner(BaseModel):
    value: int


class Outer(BaseModel):
    inner: Inner
    several: list[Inner] = []


def test_every_parameter_of_a_path_is_documented() -> None:
    names = [parameter["name"] for parameter in path_parameters("/v1/models/{model}/labels/{label}:predict")]
    assert names == ["model", "label"]


def test_parts_of_a_schema_stand_in_their_places() -> None:
    schema = json_schema(Outer)
    assert "$" not in str(schema)
    inner = schema["properties"]["inner"]
    assert inner["properties"]["value"]["type"] == "integer"
    assert schema["properties"]["several"]["items"] == inner
