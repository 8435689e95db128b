"""`/read` and `/read/batch`: read all digits in one or several pictures."""

from fastapi import APIRouter, Request, Response

from app.errors import FinderUnavailable
from app.prediction.reader import Reader
from app.routes.predict import PredictParameters, parse_options, prediction_response
from app.schemas import Reading, ReadingBatch
from app.settings import Settings
from app.web import example_errors, problems
from app.web.openapi import picture_request, picture_responses
from app.web.parameters import add_fields
from app.web.picture_frames import frame_headers_of_several
from app.web.uploads import read_picture, read_pictures

router = APIRouter(tags=["read"])

_NO_FINDER = (
    FinderUnavailable(
        "Digits cannot be found in pictures now. Model 'finder' is still loading. Try again in a second."
    ),
)


@router.post(
    "/read",
    summary="Read all digits in a picture",
    response_model=Reading,
    responses=picture_responses("/read", *example_errors.PICTURE, *_NO_FINDER),
    openapi_extra=picture_request("PictureForm", PredictParameters),
)
async def read(request: Request) -> Response:
    """Send the picture as for `/predict`. It may show one digit, a number, or lines of numbers, and other things."""
    settings: Settings = request.app.state.settings
    reader: Reader = request.app.state.reader
    options = parse_options(request.scope["query_string"])
    upload = await read_picture(request, max_bytes=settings.max_body_bytes)
    options = add_fields(options, upload.fields)
    model = options.model or settings.default_model
    reading = await reader.read(upload.pictures[0], model, options.version, seen=options.seen)
    return prediction_response(reading, request.scope, upload.pictures)


@router.post(
    "/read/batch",
    summary="Read all digits in several pictures",
    response_model=ReadingBatch,
    responses=picture_responses("/read/batch", *example_errors.PICTURES, *_NO_FINDER),
    openapi_extra=picture_request("PicturesForm", PredictParameters, several=True),
)
async def read_batch(request: Request) -> Response:
    """Send each picture as a part `file` of one form. The result of a picture that cannot be decoded is a problem."""
    settings: Settings = request.app.state.settings
    reader: Reader = request.app.state.reader
    options = parse_options(request.scope["query_string"])
    upload = await read_pictures(request, max_bytes=settings.max_body_bytes, max_files=settings.max_files)
    options = add_fields(options, upload.fields)
    model = options.model or settings.default_model
    outcomes = await reader.read_several(upload.pictures, model, options.version, seen=options.seen)
    if first := next((outcome for outcome in outcomes if isinstance(outcome, Reading)), None):
        request.scope["state"]["answered_by"] = first.model, first.version
    batch = ReadingBatch(
        readings=[
            outcome if isinstance(outcome, Reading) else problems.count_and_describe(outcome, request)
            for outcome in outcomes
        ]
    )
    return Response(
        batch.model_dump_json(), headers=await frame_headers_of_several(upload.pictures), media_type="application/json"
    )
