"""`/predict` and `/predict/batch`: predict the digits in one or several pictures."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field
from starlette.datastructures import QueryParams
from starlette.types import Scope

from app.errors import MalformedRequest
from app.prediction.predictor import Predictor
from app.schemas import BatchAnswer, Prediction, Reading
from app.settings import Settings
from app.web import example_errors, problems
from app.web.openapi import picture_request, picture_responses
from app.web.parameters import ModelParameters, add_fields, parse_query
from app.web.picture_frames import frame_headers, frame_headers_of_several
from app.web.uploads import read_picture, read_pictures

router = APIRouter(tags=["predict"])


class PredictParameters(ModelParameters):
    """The parameters. FastAPI would take as long to parse the three of them as for the rest of a request."""

    seen: Annotated[
        bool, Field(description="Whether to return the 28x28 image that the model received. By default false.")
    ] = False


DEFAULT_OPTIONS = PredictParameters()
"""The options of a request without a query."""
_MAX_PARAMETERS = 20
"""In a query. The 32,000 parameters that fit into a request's head would take 70 ms to parse."""


def parse_options(query: bytes) -> PredictParameters:
    """Parse the query parameters.

    Raises:
        RequestValidationError: if a parameter is invalid; it names the invalid ones.
        MalformedRequest: if there are too many, if one is unknown, or if one has two different values.

    """
    if not query:
        return DEFAULT_OPTIONS
    count = query.count(b"&") + 1
    if count > _MAX_PARAMETERS:
        message = f"The query has {count:,} parameters. Expected at most {_MAX_PARAMETERS}: model, version and seen."
        raise MalformedRequest(message)
    return parse_query(QueryParams(query).multi_items(), PredictParameters)


@router.post(
    "/predict",
    summary="Predict the digit in a picture",
    response_model=Prediction,
    responses=picture_responses("/predict", *example_errors.PICTURE),
    openapi_extra=picture_request("PictureForm", PredictParameters),
)
async def predict(request: Request) -> Response:
    """Send the picture as the body, with an image type, or as the only part `file` of a form."""
    settings: Settings = request.app.state.settings
    predictor: Predictor = request.app.state.predictor
    options = parse_options(request.scope["query_string"])
    upload = await read_picture(request, max_bytes=settings.max_body_bytes)
    options = add_fields(options, upload.fields)
    model = options.model or settings.default_model
    prediction = await predictor.predict(upload.pictures[0], model, options.version, seen=options.seen)
    return prediction_response(prediction, request.scope, upload.pictures)


def prediction_response(prediction: Prediction | Reading, scope: Scope, pictures: Sequence[bytes]) -> Response:
    """Return the response with a prediction or a reading of the only picture in `pictures`.

    Records for the request log which model made it.
    """
    scope["state"]["answered_by"] = prediction.model, prediction.version
    # Serialised here: FastAPI would validate the prediction a second time.
    return Response(prediction.model_dump_json(), headers=frame_headers(pictures), media_type="application/json")


@router.post(
    "/predict/batch",
    summary="Predict the digits in several pictures",
    response_model=BatchAnswer,
    responses=picture_responses("/predict/batch", *example_errors.PICTURES),
    openapi_extra=picture_request("PicturesForm", PredictParameters, several=True),
)
async def predict_batch(request: Request) -> Response:
    """Send each picture as a part `file` of one form. The result of a picture that cannot be decoded is a problem."""
    settings: Settings = request.app.state.settings
    predictor: Predictor = request.app.state.predictor
    options = parse_options(request.scope["query_string"])
    upload = await read_pictures(request, max_bytes=settings.max_body_bytes, max_files=settings.max_files)
    options = add_fields(options, upload.fields)
    model = options.model or settings.default_model
    outcomes = await predictor.predict_several(upload.pictures, model, options.version, seen=options.seen)
    if first := next((outcome for outcome in outcomes if isinstance(outcome, Prediction)), None):
        request.scope["state"]["answered_by"] = first.model, first.version
    batch = BatchAnswer(
        predictions=[
            outcome if isinstance(outcome, Prediction) else problems.count_and_describe(outcome, request)
            for outcome in outcomes
        ]
    )
    return Response(
        batch.model_dump_json(), headers=await frame_headers_of_several(upload.pictures), media_type="application/json"
    )
