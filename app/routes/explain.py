"""`/explain` and `/models/{name}/weights`: occlusion maps and weight images."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from app.errors import DeadlineExceeded, MalformedRequest, NotAClassifier, NotAffine
from app.prediction.explainer import Explainer
from app.schemas import Occlusion, WeightImages
from app.settings import Settings
from app.web import example_errors
from app.web.openapi import picture_request, picture_responses, responses
from app.web.parameters import ModelParameters, VersionParameter, add_fields, parse_query
from app.web.picture_frames import frame_headers
from app.web.uploads import read_picture

router = APIRouter(tags=["explain"])


@router.post(
    "/explain",
    summary="Compute an occlusion map of a picture",
    responses=picture_responses("/explain", *example_errors.PICTURE),
    openapi_extra=picture_request("ExplainForm", ModelParameters),
)
async def explain(request: Request, response: Response) -> Occlusion:
    """Predict the digit with one square of the picture after the other covered, which shows the decisive strokes."""
    settings: Settings = request.app.state.settings
    explainer: Explainer = request.app.state.explainer
    options = parse_query(request.query_params.multi_items(), ModelParameters)
    upload = await read_picture(request, max_bytes=settings.max_body_bytes)
    options = add_fields(options, upload.fields)
    occlusion = await explainer.occlude(upload.pictures[0], options.model or settings.default_model, options.version)
    response.headers.update(frame_headers(upload.pictures))
    return occlusion


@router.get(
    "/models/{name}/weights",
    summary="Get the weights of an affine (linear) model as images",
    responses=responses(
        "/models/convnet/weights",
        MalformedRequest(
            "query parameter 'version' is 'x': Input should be a valid integer, unable to parse string as an integer."
        ),
        NotAClassifier("finder", ["convnet", "softmax"]),
        *example_errors.UNKNOWN,
        NotAffine("convnet"),
        *example_errors.NOT_READY,
        DeadlineExceeded(10),
    ),
)
async def weights(
    request: Request,
    response: Response,
    name: Annotated[str, Path(description="The name of the model.", examples=["softmax"])],
    version: VersionParameter = None,
) -> WeightImages:
    """Return ten images of 28x28 weights and ten biases: logit = bias + sum(weight x ink), with ink from 0 to 1."""
    explainer: Explainer = request.app.state.explainer
    images = await explainer.weight_images(name, version)
    # A published version never changes (models/README.md), but another may become the default. Errors are not cached.
    response.headers["Cache-Control"] = "no-cache" if version is None else "public, max-age=86400"
    return images
