"""`/v2`: the Open Inference Protocol, version 2, for the clients of KServe and Triton."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response

from app.errors import (
    BrokenArtefact,
    CrossOriginRequest,
    LoadingForbidden,
    MalformedRequest,
    NotReady,
    RequestTooSlow,
    Unauthenticated,
    UnknownModel,
)
from app.model_repository.catalogue import ModelCatalogue
from app.model_repository.repository import ModelRepository
from app.model_repository.versions import Loaded
from app.protocols.json_object import parse_object, short_repr
from app.protocols.open_inference import models, schemas
from app.protocols.open_inference.metadata import (
    describe_configuration,
    describe_index,
    describe_model,
    describe_server,
    describe_statistics,
)
from app.protocols.open_inference.requests import parse_request
from app.protocols.open_inference.responses import write_response
from app.protocols.tensor_predictor import TensorPredictor
from app.settings import Settings
from app.web import example_errors
from app.web.decompression import BodyReader
from app.web.openapi import BINARY, json_request, path_parameters, responses

router = APIRouter(tags=["Open Inference Protocol"])

HEADER_LENGTH_FIELD = "Inference-Header-Content-Length"
_MODEL = "/v2/models/{model}"
_VERSION = "/v2/models/{model}/versions/{version}"
_LOAD = "/v2/repository/models/{model}/load"
_UNLOAD = "/v2/repository/models/{model}/unload"
_FIND = (
    MalformedRequest("The version is 'x'. Expected a whole number, 1 or more, or -1 for the newest version."),
    *example_errors.UNKNOWN,
    *example_errors.NOT_READY,
)
"""Examples of errors for requests that name a model and a version."""
_BODY = (example_errors.BODY_TOO_LARGE, example_errors.UNSUPPORTED_ENCODING)
_ADMIN = (
    UnknownModel("resnet", ["convnet", "softmax"]),
    Unauthenticated("ADMIN_TOKEN", given=False),
    CrossOriginRequest("https://example.org", is_admin=True),
    LoadingForbidden("0.0.0.0"),  # noqa: S104 - an example of a message
    RequestTooSlow(60),
    *_BODY,
    NotReady("Model 'convnet' is loaded in this worker. Another worker has not followed within 5 seconds."),
)
"""Examples of errors for requests to load or unload a model."""

Endpoint = Callable[..., Any]


def _model_route(method: str, suffix: str, *errors: Exception, **options: Any) -> Callable[[Endpoint], Endpoint]:  # noqa: ANN401 - options of FastAPI
    """Register an endpoint for a model, and for one version of it."""

    def register(endpoint: Endpoint) -> Endpoint:
        for path in (_MODEL + suffix, _VERSION + suffix):
            router.add_api_route(
                path,
                endpoint,
                methods=[method],
                responses={**responses(path, *errors), **options.get("responses", {})},
                openapi_extra={
                    "parameters": [*path_parameters(path), *options.get("parameters", [])],
                    **options.get("openapi_extra", {}),
                },
                summary=options.get("summary"),
                response_model=options.get("response_model"),
            )
        return endpoint

    return register


@router.get(
    "/v2",
    summary="Get the name of the service and its extensions",
    response_model=schemas.ServerMetadata,
    responses=responses("/v2"),
)
@router.get("/v2/", include_in_schema=False)
async def server_metadata() -> dict[str, Any]:
    """Respond in every state, also while models are loading."""
    return describe_server()


@router.get(
    "/v2/health/live",
    summary="Check that the process is alive",
    response_model=schemas.Live,
    responses=responses("/v2/health/live"),
)
async def live() -> dict[str, bool]:
    """Respond with 200 in every state."""
    return {"live": True}


@router.get(
    "/v2/health/ready",
    summary="Check that the required models are ready",
    response_model=schemas.Ready,
    responses={503: {"model": schemas.Ready}, **responses("/v2/health/ready")},
)
async def ready(request: Request, response: Response) -> dict[str, bool]:
    """Respond with 503 until every required model has been loaded and verified, but for those that were unloaded."""
    is_ready = models.is_ready(request.app.state.catalogue)
    response.status_code = 200 if is_ready else 503
    return {"ready": is_ready}


@router.get(
    "/v2/models",
    summary="List the names of the models",
    response_model=schemas.ModelNames,
    responses=responses("/v2/models"),
)
@router.get("/v2/models/", include_in_schema=False)
async def list_models(request: Request) -> dict[str, list[str]]:
    """Return the names of all models, in every state."""
    catalogue: ModelCatalogue = request.app.state.catalogue
    return {"models": list(catalogue.models)}


@router.get("/v2/docs/dataplane.json", include_in_schema=False)
async def openapi(request: Request) -> dict[str, Any]:
    """Return the OpenAPI document at MLServer's address."""
    app: FastAPI = request.app
    return app.openapi()


# Before the route of a model: otherwise `stats` would be taken for the name of a model.
@router.get(
    "/v2/models/stats",
    summary="Get the statistics of all versions",
    response_model=schemas.ModelStatistics,
    responses=responses("/v2/models/stats"),
)
async def statistics(request: Request) -> dict[str, Any]:
    """Return the counts and times of the `/v1` and `/v2` requests that have been answered since the service started."""
    versions = models.all_ready_versions(request.app.state.catalogue)
    return describe_statistics(request.app.state.statistics, versions)


@_model_route("GET", "/stats", *_FIND, summary="Get the statistics of a model", response_model=schemas.ModelStatistics)
async def model_statistics(request: Request) -> dict[str, Any]:
    """Return those of all versions that are ready, or of the version in the path."""
    loaded = _find(request)
    versions = [(loaded.card.name, version) for version in _ready_versions(request, loaded)]
    return describe_statistics(request.app.state.statistics, versions)


@_model_route("GET", "", *_FIND, summary="Get the inputs and outputs of a model", response_model=schemas.ModelMetadata)
async def model_metadata(request: Request) -> dict[str, Any]:
    """Return the inputs and outputs, and the versions that are ready."""
    loaded = _find(request)
    return describe_model(loaded.card.name, _ready_versions(request, loaded))


@_model_route("GET", "/ready", *_FIND, summary="Check that a model is ready", response_model=schemas.ModelReady)
async def model_ready(request: Request) -> dict[str, Any]:
    """Respond with 503 if it is not."""
    return {"name": _find(request).card.name, "ready": True}


@_model_route(
    "GET", "/config", *_FIND, summary="Get the configuration of a model", response_model=schemas.ModelConfiguration
)
async def model_configuration(request: Request) -> dict[str, Any]:
    """Return the configuration in Triton's format."""
    settings: Settings = request.app.state.settings
    loaded = _find(request)
    return describe_configuration(
        loaded.card.name,
        engine=settings.engine,
        versions=_ready_versions(request, loaded),
        max_batch_size=models.max_batch_size(settings.max_body_bytes),
    )


_HEADER_LENGTH: dict[str, Any] = {
    "description": "The length of the JSON before binary data; 0 if the body is a picture file or a tensor.",
    "schema": {"type": "integer", "minimum": 0},
}


@_model_route(
    "POST",
    "/infer",
    MalformedRequest("The data of 'images' has the shape [783] and 783 values. A tensor of shape [1, 28, 28] has 784."),
    *_FIND,
    *example_errors.POST,
    *_BODY,
    example_errors.UNREADABLE_PICTURE,
    summary="Score images or pictures",
    response_model=schemas.InferenceResponse,
    responses={
        200: {
            "content": {"application/octet-stream": {"schema": BINARY}},
            "headers": {HEADER_LENGTH_FIELD: _HEADER_LENGTH},
        }
    },
    parameters=[{"in": "header", "name": HEADER_LENGTH_FIELD, "required": False, **_HEADER_LENGTH}],
    openapi_extra=json_request(schemas.InferenceRequest, binary=True),
)
async def infer(request: Request) -> Response:
    """Send the tensors in the JSON, or as binary data after it.

    `Inference-Header-Content-Length` gives the length of the JSON; 0 means that the body is a picture file.
    """
    body_reader: BodyReader = request.app.state.body_reader
    tensor_predictor: TensorPredictor = request.app.state.tensor_predictor
    loaded = models.find(request.app.state.catalogue, *_parse_path(request))
    async with body_reader.read(request) as body:
        with tensor_predictor.begin(loaded) as scoring:
            inference = await parse_request(
                body, request.headers.get(HEADER_LENGTH_FIELD), max_files=tensor_predictor.max_files
            )
            response = await write_response(loaded.card, inference, await scoring.score(inference.inputs))
    request.scope["state"]["answered_by"] = loaded.card.name, loaded.card.version
    if response.header_length is None:
        return Response(response.body, media_type="application/json")
    headers = {HEADER_LENGTH_FIELD: str(response.header_length)}
    return Response(response.body, headers=headers, media_type="application/octet-stream")


@router.post(
    "/v2/repository/index",
    summary="List the versions and their states",
    response_model=list[schemas.IndexEntry],
    responses=responses(
        "/v2/repository/index",
        MalformedRequest("The member 'ready' must be true or false."),
        *example_errors.POST,
        *_BODY,
    ),
    openapi_extra=json_request(schemas.Index, required=False),
)
async def repository_index(request: Request) -> list[dict[str, str]]:
    """Return all versions, or with `{"ready": true}` those that are ready."""
    catalogue: ModelCatalogue = request.app.state.catalogue
    only_ready = (await _parse_options(request)).get("ready")
    if not isinstance(only_ready, bool | None):
        message = "The member 'ready' must be true or false."
        raise MalformedRequest(message)
    return describe_index(catalogue.models, only_ready=bool(only_ready))


@router.post(
    _LOAD,
    openapi_extra={"parameters": path_parameters(_LOAD)},
    summary="Load the new versions of a model now",
    responses=responses(
        _LOAD,
        MalformedRequest(
            "The request has the parameters 'config'. Expected none: a model is loaded as it was published."
        ),
        BrokenArtefact("convnet/7 has failed verification: a digest differs. Publish the version again."),
        *_ADMIN,
    ),
)
async def load(request: Request) -> dict[str, Any]:
    """Respond when all workers have loaded them, or with 503 if one has not within a few seconds."""
    overrides = (await _parse_options(request)).get("parameters")
    if overrides:
        names = short_repr(list(overrides) if isinstance(overrides, dict) else overrides).strip("[]")
        message = f"The request has the parameters {names}. Expected none: a model is loaded as it was published."
        raise MalformedRequest(message)
    repository: ModelRepository = request.app.state.repository
    await repository.load(request.path_params["model"])
    return {}


@router.post(
    _UNLOAD,
    openapi_extra={"parameters": path_parameters(_UNLOAD)},
    summary="Unload a model until it is loaded again",
    responses=responses(_UNLOAD, *_ADMIN),
)
async def unload(request: Request) -> dict[str, Any]:
    """Respond when all workers have unloaded it, or with 503 if one has not within a few seconds."""
    await _parse_options(request)
    repository: ModelRepository = request.app.state.repository
    await repository.unload(request.path_params["model"])
    return {}


async def _parse_options(request: Request) -> dict[str, Any]:
    """Parse the body; an empty body is an empty object."""
    body_reader: BodyReader = request.app.state.body_reader
    async with body_reader.read(request) as body:
        return await parse_object(body) if body else {}


def _find(request: Request) -> Loaded:
    """Find the version in the path, of a model of any task."""
    return models.find_any(request.app.state.catalogue, *_parse_path(request))


def _parse_path(request: Request) -> tuple[str, str]:
    """Return the model and the version in a path; the version is empty if there is none."""
    return request.path_params["model"], request.path_params.get("version", "")


def _ready_versions(request: Request, loaded: Loaded) -> list[int]:
    """List the version in the path, or all versions of the model that are ready."""
    return models.ready_versions(request.app.state.catalogue, loaded, _parse_path(request)[1])
