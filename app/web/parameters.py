"""Validates the parameters of a query and the fields of a form, and names the nearest known one of an unknown one."""

from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from typing import Annotated, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.errors import MalformedRequest

P = TypeVar("P", bound=BaseModel)

_MAX_NAME_LENGTH = 50
"""In characters. More are neither compared nor repeated."""
_MIN_SIMILARITY = 0.5
"""The least similarity of two names, from 0 to 1, for the one to be suggested instead of the other."""


VersionParameter = Annotated[
    int | None,
    Field(examples=[7], ge=1, description="The version. By default the one in `MODEL_VERSIONS`, or else the newest."),
]


class ModelParameters(BaseModel):
    """The parameters that choose a model, in the query or as fields of a form."""

    model_config = ConfigDict(frozen=True)

    model: Annotated[
        str | None, Field(min_length=1, description="The model. By default `DEFAULT_MODEL`.", examples=["convnet"])
    ] = None
    version: VersionParameter = None


def parse_query(pairs: Iterable[tuple[str, str]], type_: type[P]) -> P:
    """Validate the names and values of a query.

    Raises:
        MalformedRequest: if a name is unknown, or has two different values.
        RequestValidationError: if a value is invalid; it names the invalid ones.

    """
    return _validate(_unique(pairs, type_.model_fields, "The query has a parameter"), type_, "query")


def add_fields(parameters: P, fields: Iterable[tuple[str, str]]) -> P:
    """Return `parameters` together with the fields of a form. Empty fields count as absent, as browsers send them.

    Raises:
        MalformedRequest: if a name is unknown, or has two different values in the form, or in the form and the query.
        RequestValidationError: if a value is invalid; it names the invalid ones.

    """
    known = ["file", *type(parameters).model_fields]
    values = _unique(((name, value) for name, value in fields if value), known, "The form has a field")
    if not values:
        return parameters
    added = _validate(values, type(parameters), "form")
    for name in added.model_fields_set & parameters.model_fields_set:
        if getattr(added, name) != getattr(parameters, name):
            raise _ambiguous(name)
    return parameters.model_copy(update={name: getattr(added, name) for name in added.model_fields_set})


def nearest_name(name: str, known: Sequence[str]) -> str | None:
    """Return the known name that is most similar to `name`, or None if none is similar."""

    def similarity(other: str) -> float:
        return SequenceMatcher(None, name[:_MAX_NAME_LENGTH].lower(), other).ratio()

    best = max(known, key=similarity)
    return best if similarity(best) >= _MIN_SIMILARITY else None


def _unique(pairs: Iterable[tuple[str, str]], known: Iterable[str], found: str) -> dict[str, str]:
    names = list(known)
    values: dict[str, str] = {}
    for name, value in pairs:
        if name not in names:
            raise _unknown(name, names, found)
        if values.setdefault(name, value) != value:
            raise _ambiguous(name)
    return values


def _unknown(name: str, known: Sequence[str], found: str) -> MalformedRequest:
    nearest = nearest_name(name, known)
    suggestion = f" Did you mean '{nearest}'?" if nearest else ""
    return MalformedRequest(
        f"{found} '{name[:_MAX_NAME_LENGTH]}', which is unknown.{suggestion} Known: {', '.join(known)}."
    )


def _ambiguous(name: str) -> MalformedRequest:
    return MalformedRequest(f"'{name}' has two different values. Send it once, in the query or in the form.")


def _validate(values: dict[str, str], type_: type[P], place: str) -> P:
    try:
        return type_.model_validate(values)
    except ValidationError as error:
        details = [{**detail, "loc": (place, *detail["loc"])} for detail in error.errors()]
        raise RequestValidationError(details) from error
