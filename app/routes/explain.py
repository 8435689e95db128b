"""`/explain` and `/models/{name}/weights`: why a model answers as it does."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from app.prediction.explainer import Explainer
from app.schemas import Occlusion, WeightImages
from app.settings import Settings
from app.web import problems
from app.web.uploads import read_picture

router = APIRouter(tags=["explain"])

Version = Annotated[
    int | None,
    Query(ge=1, description="Which version; the one in `MODEL_VERSIONS`, or else the newest, if it is left out."),
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
    summary="Find what in one picture the answer hangs on",
    responses=problems.responses(400, 404, 413, 415, 422, 500, 503, 504),
    openapi_extra={"requestBody": _BODY},
)
async def explain(
    request: Request,
    model: Annotated[str | None, Query(description="Which model; `DEFAULT_MODEL` if it is left out.")] = None,
    version: Version = None,
) -> Occlusion:
    """Cover one square of the picture after the other, and say what the model would read then: an occlusion map."""
    settings: Settings = request.app.state.settings
    explainer: Explainer = request.app.state.explainer
    data = await read_picture(request, max_bytes=settings.max_body_bytes)
    return await explainer.occlude(data, model or settings.default_model, version)


@router.get(
    "/models/{name}/weights",
    summary="Show the weights of a model that is one affine map",
    responses=problems.responses(400, 404, 500, 503, 504),
)
async def weights(request: Request, response: Response, name: str, version: Version = None) -> WeightImages:
    """Give ten images of 28x28 weights and ten biases: logit = bias + the sum of weight x ink, ink from 0 to 1."""
    explainer: Explainer = request.app.state.explainer
    images = await explainer.weigh(name, version)
    # A published version is not to change, as models/README.md has it; which one answers by default does. A broken one
    # has no weights that could be kept until it is mended.
    response.headers["Cache-Control"] = "no-cache" if version is None else "public, max-age=86400"
    return images
