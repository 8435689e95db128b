"""`/explain` and `/models/{name}/weights`: occlusion maps and weight images."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.prediction.explainer import Explainer
from app.schemas import Occlusion, WeightImages
from app.settings import Settings
from app.web import problems
from app.web.parameters import add_fields, parse_query
from app.web.picture_frames import frame_headers
from app.web.uploads import read_picture

router = APIRouter(tags=["explain"])

VersionParameter = Annotated[
    int | None,
    Query(ge=1, description="The version. By default the one in `MODEL_VERSIONS`, or else the newest."),
]


class ExplainParameters(BaseModel):
    """The query parameters of an explanation, and the fields of its form."""

    model_config = ConfigDict(frozen=True)

    model: Annotated[str | None, Field(min_length=1)] = None
    version: Annotated[int | None, Field(ge=1)] = None


_PICTURE: dict[str, Any] = {"type": "string", "format": "binary"}
_BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {"schema": {"type": "object", "required": ["file"], "properties": {"file": _PICTURE}}},
        "image/*": {"schema": _PICTURE},
    },
}


@router.post(
    "/explain",
    summary="Compute an occlusion map of a picture",
    responses=problems.responses(400, 404, 413, 415, 422, 500, 503, 504),
    openapi_extra={"requestBody": _BODY},
)
async def explain(
    request: Request,
    response: Response,
    model: Annotated[str | None, Query(description="The model. By default `DEFAULT_MODEL`.")] = None,  # noqa: ARG001
    version: VersionParameter = None,  # noqa: ARG001 - declared for OpenAPI, and validated
) -> Occlusion:
    """Predict the digit with one square of the picture after the other covered, which shows the decisive strokes."""
    settings: Settings = request.app.state.settings
    explainer: Explainer = request.app.state.explainer
    options = parse_query(request.query_params.multi_items(), ExplainParameters)
    upload = await read_picture(request, max_bytes=settings.max_body_bytes)
    options = add_fields(options, upload.fields)
    occlusion = await explainer.occlude(upload.pictures[0], options.model or settings.default_model, options.version)
    response.headers.update(frame_headers(upload.pictures))
    return occlusion


@router.get(
    "/models/{name}/weights",
    summary="Get the weights of an affine (linear) model as images",
    responses=problems.responses(400, 404, 500, 503, 504),
)
async def weights(request: Request, response: Response, name: str, version: VersionParameter = None) -> WeightImages:
    """Return ten images of 28x28 weights and ten biases: logit = bias + sum(weight x ink), with ink from 0 to 1."""
    explainer: Explainer = request.app.state.explainer
    images = await explainer.weight_images(name, version)
    # A published version never changes (models/README.md), but another may become the default. Errors are not cached.
    response.headers["Cache-Control"] = "no-cache" if version is None else "public, max-age=86400"
    return images
