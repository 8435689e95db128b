"""`/explain` and `/models/{name}/weights`: occlusion maps and weight images."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from app.prediction.explainer import Explainer
from app.schemas import Occlusion, WeightImages
from app.settings import Settings
from app.web import problems
from app.web.uploads import read_picture

router = APIRouter(tags=["explain"])

VersionParameter = Annotated[
    int | None,
    Query(ge=1, description="The version. By default the one in `MODEL_VERSIONS`, or else the newest."),
]

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
    model: Annotated[str | None, Query(description="The model. By default `DEFAULT_MODEL`.")] = None,
    version: VersionParameter = None,
) -> Occlusion:
    """Predict the digit with one square of the picture after the other covered, which shows the decisive strokes."""
    settings: Settings = request.app.state.settings
    explainer: Explainer = request.app.state.explainer
    data = await read_picture(request, max_bytes=settings.max_body_bytes)
    return await explainer.occlude(data, model or settings.default_model, version)


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
