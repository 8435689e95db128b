"""`/v1`: the REST interface of TensorFlow Serving."""

import re
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import MalformedRequest, UnknownModel, UnknownServable, UnknownVersion
from app.inference.scores import Scores
from app.model_repository.repository import ModelRepository
from app.model_repository.versions import ServedVersion
from app.protocols.tensor_predictor import Inputs, TensorPredictor
from app.protocols.tensorflow_serving import schemas
from app.protocols.tensorflow_serving.metadata import describe_metadata, describe_status
from app.protocols.tensorflow_serving.requests import read_classify, read_predict
from app.protocols.tensorflow_serving.responses import write_classify, write_predict
from app.routes.open_inference import Endpoint, read_version
from app.web import problems
from app.web.decompression import BodyReader
from app.web.openapi import json_schema, path_parameters

router = APIRouter(tags=["TensorFlow Serving"])

_MODELS = ("/v1/models/{model}", "/v1/models/{model}/versions/{version}", "/v1/models/{model}/labels/{label}")


def _model_route(
    method: str, ending: str, *statuses: int, answer: type[BaseModel], body: type[BaseModel] | None = None
) -> Callable[[Endpoint], Endpoint]:
    """Declare an endpoint under a model, under one version of it and under a label."""
    content = {"application/json": {"schema": json_schema(body)}} if body else {}

    def register(endpoint: Endpoint) -> Endpoint:
        for path in (prefix + ending for prefix in _MODELS):
            extra: dict[str, Any] = {"parameters": path_parameters(path)}
            if content:
                extra["requestBody"] = {"required": True, "content": content}
            router.add_api_route(
                path,
                endpoint,
                methods=[method],
                response_model=answer,
                responses=problems.protocol_responses(*statuses),
                openapi_extra=extra,
            )
        return endpoint

    return register


@_model_route(
    "POST", ":predict", *(400, 401, 404, 413, 500, 503, 504), body=schemas.Predict, answer=schemas.Predictions
)
async def predict(request: Request) -> Response:
    """Score images, in rows or in columns; `{"b64": ...}` in the place of an image is a picture file."""
    bodies: BodyReader = request.app.state.bodies
    tensor_predictor: TensorPredictor = request.app.state.tensor_predictor
    served = _find(request)
    async with bodies.read(request) as body:
        asked = await read_predict(body, max_files=tensor_predictor.max_files)
        return _json(await write_predict(asked, await _score(request, served, asked.inputs)))


@_model_route(
    "POST", ":classify", *(400, 401, 404, 413, 500, 503, 504), body=schemas.Classify, answer=schemas.Classifications
)
async def classify(request: Request) -> Response:
    """Give the probability of every digit for each example."""
    bodies: BodyReader = request.app.state.bodies
    tensor_predictor: TensorPredictor = request.app.state.tensor_predictor
    served = _find(request)
    async with bodies.read(request) as body:
        inputs = await read_classify(body, max_files=tensor_predictor.max_files)
        return _json(await write_classify(await _score(request, served, inputs)))


@_model_route("POST", ":regress", 400, 401, answer=schemas.Predictions)
async def regress(_request: Request) -> Response:
    """Refuse: these models have no signature for it."""
    message = "The models classify, and have no signature for regression. Use :predict or :classify."
    raise MalformedRequest(message)


@_model_route("GET", "", 400, 404, 503, answer=schemas.ServableStatus)
async def status(request: Request) -> dict[str, Any]:
    """Give the state of a model's versions, or of the one that is asked for."""
    repository: ModelRepository = request.app.state.repository
    name, number, label = _asked(request)
    if label is not None:
        number = _find(request).card.version
    known = repository.models.get(name, ())
    versions = [each for each in known if each.number == number or (number is None and each.state != "not_loaded")]
    if not versions:
        raise UnknownServable(name, number, label)
    return describe_status(versions)


@_model_route("GET", "/metadata", 400, 404, 503, answer=schemas.ServableMetadata)
async def metadata(request: Request) -> dict[str, Any]:
    """Give the signatures of a version."""
    card = _find(request).card
    return describe_metadata(card.name, card.version)


@router.api_route("/v1", methods=["GET", "POST", "PUT", "DELETE", "PATCH"], include_in_schema=False)
@router.api_route("/v1/{rest:path}", methods=["GET", "POST", "PUT", "DELETE", "PATCH"], include_in_schema=False)
async def malformed(request: Request) -> Response:
    """Answer every other path as TensorFlow Serving does."""
    raise _malformed(request)


def _malformed(request: Request) -> MalformedRequest:
    return MalformedRequest(f"Malformed request: {request.method} {request.url.path}")


def _asked(request: Request) -> tuple[str, int | None, str | None]:
    """Read which model, version and label a path names."""
    name, version, label = (request.path_params.get(part) for part in ("model", "version", "label"))
    if ":" in f"{name}{version}{label}":  # a verb, with a method that it does not have
        raise _malformed(request)
    return str(name), None if version is None else read_version(version), label


def _find(request: Request) -> ServedVersion:
    repository: ModelRepository = request.app.state.repository
    name, number, label = _asked(request)
    try:
        return repository.find(name, number, label)
    except (UnknownModel, UnknownVersion) as error:
        raise UnknownServable(name, number, label) from error


async def _score(request: Request, served: ServedVersion, inputs: Inputs) -> Scores:
    tensor_predictor: TensorPredictor = request.app.state.tensor_predictor
    scores = await tensor_predictor.score(served, inputs)
    request.scope["state"]["answered_by"] = served.card.name, served.card.version
    return scores


def _json(body: bytes) -> Response:
    return Response(body, media_type="application/json")


_WORDS = re.compile(r"/(?:v1|models|versions|labels|metadata)(?=/|$)|:(?:predict|classify|regress)$", re.IGNORECASE)


class CaseInsensitivePaths:
    """Writes the words of TensorFlow Serving's paths in lower case, as it takes them in any. Pure ASGI."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["path"][:4].lower() == "/v1/":
            scope["path"] = _WORDS.sub(lambda word: word[0].lower(), scope["path"])
        await self._app(scope, receive, send)
