"""`/predict` and `/predict/batch`."""

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import QueryParams
from starlette.types import Scope

from app.errors import MalformedRequest
from app.prediction.predictor import Predictor
from app.schemas import BatchAnswer, Prediction
from app.settings import Settings
from app.web import problems
from app.web.uploads import read_picture, read_pictures

router = APIRouter(tags=["predict"])


class Options(BaseModel):
    """The query parameters. They are read here because the framework takes as long for three as for all of the rest."""

    model_config = ConfigDict(frozen=True)

    model: Annotated[str | None, Field(description="Which model answers; `DEFAULT_MODEL` if it is left out.")] = None
    version: Annotated[
        int | None,
        Field(ge=1, description="Which version; the one in `MODEL_VERSIONS`, or else the newest, if it is left out."),
    ] = None
    seen: Annotated[bool, Field(description="Whether to send back the 28x28 that the model saw.")] = False


_NO_OPTIONS = Options()
_MOST_OPTIONS = 20
"""In a query: 32,000 of them, which a head can hold, would take 70 ms to parse."""


def read_options(query: bytes) -> Options:
    """Read the query parameters.

    Raises:
        RequestValidationError: naming those that are not what they should be.
        MalformedRequest: if there are very many.

    """
    if not query:
        return _NO_OPTIONS
    count = query.count(b"&") + 1
    if count > _MOST_OPTIONS:
        message = f"The query has {count:,} parameters. Expected at most {_MOST_OPTIONS}: model, version and seen."
        raise MalformedRequest(message)
    try:
        return Options.model_validate(dict(QueryParams(query)))
    except ValidationError as error:
        problems = [{**problem, "loc": ("query", *problem["loc"])} for problem in error.errors()]
        raise RequestValidationError(problems) from error


_BINARY: dict[str, Any] = {"type": "string", "format": "binary"}


def _request(content: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Document what a request consists of, for OpenAPI."""
    return {
        "parameters": [
            {"in": "query", "name": name, "required": False, "schema": schema}
            for name, schema in Options.model_json_schema()["properties"].items()
        ],
        "requestBody": {"required": True, "content": {type_: {"schema": schema} for type_, schema in content.items()}},
    }


def _form(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": ["file"], "properties": {"file": schema}}


@router.post(
    "/predict",
    summary="Read the digit in one picture",
    response_model=Prediction,
    responses=problems.responses(400, 404, 413, 415, 422, 500, 503, 504),
    openapi_extra=_request({"multipart/form-data": _form(_BINARY), "image/*": _BINARY}),
)
async def predict(request: Request) -> Response:
    """Send the picture as the body itself, with an image type, or as the one part `file` of a form."""
    settings: Settings = request.app.state.settings
    predictor: Predictor = request.app.state.predictor
    options = read_options(request.scope["query_string"])
    data = await read_picture(request, max_bytes=settings.max_body_bytes)
    model = options.model or settings.default_model
    prediction = await predictor.predict(data, model, options.version, seen=options.seen)
    return answer(prediction, request.scope)


def answer(prediction: Prediction, scope: Scope) -> Response:
    """Answer a request with a prediction, and note for the journal which model made it."""
    scope["state"]["answered_by"] = prediction.model, prediction.version
    # Ready-made: it was validated as it was built, and the framework would do it again.
    return Response(prediction.model_dump_json(), media_type="application/json")


@router.post(
    "/predict/batch",
    summary="Read the digits in several pictures",
    response_model=BatchAnswer,
    responses=problems.responses(400, 404, 413, 415, 500, 503, 504),
    openapi_extra=_request({"multipart/form-data": _form({"type": "array", "items": _BINARY})}),
)
async def predict_batch(request: Request) -> Response:
    """Send each picture as a part `file` of one form; a picture that cannot be read gets a problem in its place."""
    settings: Settings = request.app.state.settings
    predictor: Predictor = request.app.state.predictor
    options = read_options(request.scope["query_string"])
    pictures = await read_pictures(request, max_bytes=settings.max_body_bytes, max_files=settings.max_files)
    model = options.model or settings.default_model
    outcomes = await predictor.predict_several(pictures, model, options.version, seen=options.seen)
    if answered := next((outcome for outcome in outcomes if isinstance(outcome, Prediction)), None):
        request.scope["state"]["answered_by"] = answered.model, answered.version
    answer = BatchAnswer(
        predictions=[
            outcome if isinstance(outcome, Prediction) else problems.describe(outcome, request) for outcome in outcomes
        ]
    )
    return Response(answer.model_dump_json(), media_type="application/json")
