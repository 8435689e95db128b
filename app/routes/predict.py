"""`/predict` and `/predict/batch`."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from app import problems
from app.predictor import Predictor
from app.schemas import BatchAnswer, Prediction
from app.settings import Settings
from app.uploads import one_picture, several_pictures

router = APIRouter(tags=["predict"])

Model = Annotated[str | None, Query(description="Which model answers; `DEFAULT_MODEL` if it is left out.")]
Version = Annotated[int | None, Query(ge=1, description="Which version of it; the newest if it is left out.")]
Seen = Annotated[bool, Query(description="Whether to send back the 28x28 that the model saw.")]

_BINARY: dict[str, Any] = {"type": "string", "format": "binary"}


def _body(content: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        "requestBody": {"required": True, "content": {type_: {"schema": schema} for type_, schema in content.items()}}
    }


def _form(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": ["file"], "properties": {"file": schema}}


@router.post(
    "/predict",
    summary="Read the digit in one picture",
    response_model=Prediction,
    responses=problems.responses(400, 404, 413, 415, 422, 500, 503, 504),
    openapi_extra=_body({"multipart/form-data": _form(_BINARY), "image/*": _BINARY}),
)
async def predict(request: Request, model: Model = None, version: Version = None, *, seen: Seen = False) -> Response:
    """Send the picture as the body itself, with an image type, or as the one part `file` of a form."""
    settings: Settings = request.app.state.settings
    predictor: Predictor = request.app.state.predictor
    data = await one_picture(request, max_bytes=settings.max_body_bytes)
    prediction = await predictor.predict(data, model or settings.default_model, version, seen=seen)
    # Ready-made: it was validated as it was built, and the framework would do it again.
    return Response(prediction.model_dump_json(), media_type="application/json")


@router.post(
    "/predict/batch",
    summary="Read the digits in several pictures",
    response_model=BatchAnswer,
    responses=problems.responses(400, 404, 413, 415, 500, 503, 504),
    openapi_extra=_body({"multipart/form-data": _form({"type": "array", "items": _BINARY})}),
)
async def predict_batch(
    request: Request, model: Model = None, version: Version = None, *, seen: Seen = False
) -> Response:
    """Send each picture as a part `file` of one form; a picture that cannot be read gets a problem in its place."""
    settings: Settings = request.app.state.settings
    predictor: Predictor = request.app.state.predictor
    pictures = await several_pictures(request, max_bytes=settings.max_body_bytes, max_files=settings.max_files)
    outcomes = await predictor.predict_several(pictures, model or settings.default_model, version, seen=seen)
    answer = BatchAnswer(
        predictions=[
            outcome if isinstance(outcome, Prediction) else problems.describe(outcome, request) for outcome in outcomes
        ]
    )
    return Response(answer.model_dump_json(), media_type="application/json")
