"""`/v2`: the Open Inference Protocol, version 2, as KServe's and Triton's clients speak it."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request, Response

from app.errors import MalformedRequest
from app.model_repository.repository import ModelRepository
from app.model_repository.versions import ServedVersion
from app.protocols.json_object import brief, read_object
from app.protocols.open_inference import schemas
from app.protocols.open_inference.metadata import (
    describe_configuration,
    describe_index,
    describe_model,
    describe_server,
    describe_statistics,
)
from app.protocols.open_inference.requests import read_request
from app.protocols.open_inference.responses import write_answer
from app.protocols.tensor_predictor import TensorPredictor
from app.settings import Settings
from app.web import problems
from app.web.decompression import BodyReader
from app.web.openapi import json_schema, path_parameters

router = APIRouter(tags=["Open Inference Protocol"])

HEADER_LENGTH = "Inference-Header-Content-Length"
_MODEL = "/v2/models/{model}"
_VERSION = "/v2/models/{model}/versions/{version}"
_LOAD = "/v2/repository/models/{model}/load"
_UNLOAD = "/v2/repository/models/{model}/unload"
_UNKNOWN = (400, 404, 503)

Endpoint = Callable[..., Any]


def _model_route(method: str, ending: str, *statuses: int, **options: Any) -> Callable[[Endpoint], Endpoint]:  # noqa: ANN401 - the framework's own options
    """Declare an endpoint under a model, and under one version of it."""

    def register(endpoint: Endpoint) -> Endpoint:
        for path in (_MODEL + ending, _VERSION + ending):
            router.add_api_route(
                path,
                endpoint,
                methods=[method],
                responses={**problems.protocol_responses(*statuses), **options.get("responses", {})},
                openapi_extra={"parameters": path_parameters(path), **options.get("openapi_extra", {})},
                summary=options.get("summary"),
                response_model=options.get("response_model"),
            )
        return endpoint

    return register


@router.get("/v2", summary="Name the service and the extensions it speaks", response_model=schemas.ServerMetadata)
@router.get("/v2/", include_in_schema=False)
async def server_metadata() -> dict[str, Any]:
    """Answer always, also while models are loading."""
    return describe_server()


@router.get("/v2/health/live", summary="Whether the process is alive", response_model=schemas.Live)
async def live() -> dict[str, bool]:
    """Answer, always."""
    return {"live": True}


@router.get(
    "/v2/health/ready",
    summary="Whether every required model answers",
    response_model=schemas.Ready,
    responses={503: {"model": schemas.Ready}},
)
async def ready(request: Request, response: Response) -> dict[str, bool]:
    """Answer 503 until every required model has answered a warm-up."""
    repository: ModelRepository = request.app.state.repository
    is_ready = not repository.missing()
    response.status_code = 200 if is_ready else 503
    return {"ready": is_ready}


# Before the models: `stats` is the name of none.
@router.get("/v2/models/stats", summary="What every version has done", response_model=schemas.ModelStatistics)
async def statistics(request: Request) -> dict[str, Any]:
    """Count the requests of `/v1` and `/v2` that this worker has answered since it began."""
    repository: ModelRepository = request.app.state.repository
    versions = [
        (name, version.number)
        for name, versions in repository.models.items()
        for version in versions
        if version.state == "ready"
    ]
    return describe_statistics(request.app.state.statistics, versions)


@_model_route("GET", "/stats", *_UNKNOWN, summary="What a model has done", response_model=schemas.ModelStatistics)
async def model_statistics(request: Request) -> dict[str, Any]:
    """Count the requests of `/v1` and `/v2` that this worker has answered since it began."""
    card = _find(request).card
    return describe_statistics(request.app.state.statistics, [(card.name, card.version)])


@_model_route("GET", "", *_UNKNOWN, summary="The tensors of a model", response_model=schemas.ModelMetadata)
async def model_metadata(request: Request) -> dict[str, Any]:
    """Name the inputs and outputs, and the versions that answer."""
    served = _find(request)
    return describe_model(served.card.name, _versions_asked(request, served))


@_model_route("GET", "/ready", *_UNKNOWN, summary="Whether a model answers", response_model=schemas.ModelReady)
async def model_ready(request: Request) -> dict[str, Any]:
    """Answer 503 if it does not."""
    return {"name": _find(request).card.name, "ready": True}


@_model_route("GET", "/config", *_UNKNOWN, summary="A model's configuration", response_model=schemas.ModelConfiguration)
async def model_configuration(request: Request) -> dict[str, Any]:
    """Give it in the terms of Triton's model configuration."""
    settings: Settings = request.app.state.settings
    served = _find(request)
    versions = _versions_asked(request, served)
    return describe_configuration(served.card.name, engine=settings.engine, versions=versions)


_BINARY = {"schema": {"type": "string", "format": "binary"}}


@_model_route(
    "POST",
    "/infer",
    *(400, 401, 404, 413, 415, 422, 500, 503, 504),
    summary="Score images or pictures",
    response_model=schemas.InferenceResponse,
    responses={200: {"content": {"application/octet-stream": _BINARY}}},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": json_schema(schemas.InferenceRequest)},
                "application/octet-stream": _BINARY,
            },
        }
    },
)
async def infer(request: Request) -> Response:
    """Take tensors in JSON, or behind it with `Inference-Header-Content-Length`; with 0 there, one picture file."""
    bodies: BodyReader = request.app.state.bodies
    tensor_predictor: TensorPredictor = request.app.state.tensor_predictor
    served = _find(request)
    async with bodies.read(request) as body:
        asked = await read_request(body, request.headers.get(HEADER_LENGTH), max_files=tensor_predictor.max_files)
        answer = await write_answer(served.card, asked, await tensor_predictor.score(served, asked.inputs))
    request.scope["state"]["answered_by"] = served.card.name, served.card.version
    if answer.header_length is None:
        return Response(answer.body, media_type="application/json")
    headers = {HEADER_LENGTH: str(answer.header_length)}
    return Response(answer.body, headers=headers, media_type="application/octet-stream")


@router.post(
    "/v2/repository/index",
    summary="List every version and its state",
    response_model=list[schemas.IndexEntry],
    responses=problems.protocol_responses(400, 401, 413, 415, 503),
    openapi_extra={"requestBody": {"content": {"application/json": {"schema": json_schema(schemas.Index)}}}},
)
async def repository_index(request: Request) -> list[dict[str, str]]:
    """With `{"ready": true}` list only those that answer."""
    repository: ModelRepository = request.app.state.repository
    only_ready = (await _read_options(request)).get("ready", False)
    if not isinstance(only_ready, bool):
        message = "The member 'ready' is true or false."
        raise MalformedRequest(message)
    return describe_index(repository.models, only_ready=only_ready)


@router.post(
    _LOAD,
    openapi_extra={"parameters": path_parameters(_LOAD)},
    summary="Look for new versions of a model now, and load them",
    responses=problems.protocol_responses(400, 401, 403, 404, 409, 413, 415, 500, 503),
)
async def load(request: Request) -> dict[str, Any]:
    """Answer once this worker has it; the others follow within two seconds."""
    overrides = (await _read_options(request)).get("parameters")
    if overrides:
        sent = brief(list(overrides) if isinstance(overrides, dict) else overrides).strip("[]")
        message = f"The request has the parameters {sent}. Expected none: a model is loaded as it was published."
        raise MalformedRequest(message)
    repository: ModelRepository = request.app.state.repository
    await repository.load(request.path_params["model"])
    return {}


@router.post(
    _UNLOAD,
    openapi_extra={"parameters": path_parameters(_UNLOAD)},
    summary="Take a model down until it is loaded again",
    responses=problems.protocol_responses(400, 401, 403, 404, 413, 415, 500, 503),
)
async def unload(request: Request) -> dict[str, Any]:
    """Answer once this worker serves it no longer; the others follow within two seconds."""
    await _read_options(request)
    repository: ModelRepository = request.app.state.repository
    await repository.unload(request.path_params["model"])
    return {}


async def _read_options(request: Request) -> dict[str, Any]:
    """Read a body that may be left out."""
    bodies: BodyReader = request.app.state.bodies
    async with bodies.read(request) as body:
        return await read_object(body) if body else {}


def _find(request: Request) -> ServedVersion:
    repository: ModelRepository = request.app.state.repository
    version = request.path_params.get("version")
    return repository.find(request.path_params["model"], None if version is None else read_version(version))


def _versions_asked(request: Request, served: ServedVersion) -> list[int]:
    """List the version that was asked for, or all of the model that answer."""
    if "version" in request.path_params:
        return [served.card.version]
    repository: ModelRepository = request.app.state.repository
    return [version.number for version in repository.models[served.card.name] if version.state == "ready"]


def read_version(text: str) -> int:
    """Read the version in a path.

    Raises:
        MalformedRequest: if it is no positive integer.

    """
    if not (text.isascii() and text.isdecimal()) or len(text) > 18 or int(text) < 1:
        message = f"The version is '{text[:40]}'. Expected a whole number, 1 or more."
        raise MalformedRequest(message)
    return int(text)
