import pytest
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field

from app.errors import MalformedRequest
from app.web.parameters import add_fields, nearest_name, parse_query


class Parameters(BaseModel):
    model: str | None = Field(None, min_length=1)
    version: int | None = None
    seen: bool = False


def test_a_query_is_validated() -> None:
    assert parse_query([("model", "a"), ("seen", "true"), ("model", "a")], Parameters) == Parameters(
        model="a", seen=True
    )
    for name, value in (("version", "x"), ("model", "")):
        with pytest.raises(RequestValidationError) as caught:
            parse_query([(name, value)], Parameters)
        assert caught.value.errors()[0]["loc"] == ("query", name)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("modle", "model"),
        ("Model", "model"),
        ("models", "model"),
        ("ver", "version"),
        ("sean", "seen"),
        ("files", "file"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_one(name: str, known: str) -> None:
    assert nearest_name(name, ["file", *Parameters.model_fields]) == known
    with pytest.raises(MalformedRequest, match=f"a field '{name}', which is unknown. Did you mean '{known}'"):
        add_fields(Parameters(), [(name, "1")])


def test_an_unknown_name_like_no_other_is_refused_with_all_names() -> None:
    with pytest.raises(
        MalformedRequest, match=r"a parameter 'x{50}', which is unknown\. Known: model, version, seen\."
    ):
        parse_query([(10_000 * "x", "1")], Parameters)


def test_two_different_values_are_refused() -> None:
    with pytest.raises(MalformedRequest, match="'model' has two different values"):
        parse_query([("model", "a"), ("model", "b")], Parameters)
    for query, field in (("a", "b"), ("b", "a")):
        with pytest.raises(MalformedRequest, match="'model' has two different values"):
            add_fields(Parameters(model=query), [("model", field)])


def test_fields_are_added_to_the_query() -> None:
    query = parse_query([("version", "2"), ("seen", "1")], Parameters)
    added = add_fields(query, [("model", "a"), ("version", "2"), ("seen", "true")])
    assert added == Parameters(model="a", version=2, seen=True)
    assert add_fields(query, []) is query


def test_empty_fields_are_absent() -> None:
    assert add_fields(Parameters(model="a"), [("model", ""), ("version", "")]) == Parameters(model="a")
    with pytest.raises(RequestValidationError) as caught:
        add_fields(Parameters(), [("version", "newest")])
    assert caught.value.errors()[0]["loc"] == ("form", "version")
