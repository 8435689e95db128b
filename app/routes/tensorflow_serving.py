"""`/v1`: the REST API of TensorFlow Serving."""

import re
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from app.errors import MalformedRequest, UnknownServable
from app.model_repository.catalogue import ModelCatalogue
from app.model_repository.versions import Loaded, LoadedVersion
from app.observability.metrics import ServiceMetrics
from app.protocols.tensor_predictor import TensorPredictor
from app.protocols.tensorflow_serving import schemas, servables
from app.protocols.tensorflow_serving.metadata import describe_metadata, describe_status
from app.protocols.tensorflow_serving.requests import parse_classify, parse_predict
from app.protocols.tensorflow_serving.responses import write_classify, write_predict
from app.routes.open_inference import Endpoint
from app.web import example_errors
from app.web.content_negotiation import negotiate
from app.web.decompression import BodyReader
from app.web.openapi import json_request, path_parameters, responses

router = APIRouter(tags=["TensorFlow Serving"])

_VERSION = re.compile(r"[0-9]{1,18}")
_NO_REGRESSION = "The models are classifiers and have no signature for regression. Use :predict or :classify."
_UNKNOWN_LABEL = MalformedRequest(
    "Unrecognized servable version label: x. Model 'convnet' has no label 'x'. Labels: stable, latest."
)
_FIND = (UnknownServable("resnet", None, None), *example_errors.NOT_READY)
_SCORE = (*example_errors.POST, example_errors.BODY_TOO_LARGE)
_MODELS = ("/v1/models/{model}", "/v1/models/{model}/versions/{version}", "/v1/models/{model}/labels/{label}")


def _model_route(
    method: str,
    suffix: str,
    summary: str,
    *errors: Exception,
    response: type[BaseModel],
    body: type[BaseModel] | None = None,
) -> Callable[[Endpoint], Endpoint]:
    """Register an endpoint for a model, for one version of it and for a label."""

    def register(endpoint: Endpoint) -> Endpoint:
        for path in (prefix + suffix for prefix in _MODELS):
            router.add_api_route(
                path,
                endpoint,
                methods=[method],
                response_model=response,
                summary=summary,
                responses=responses(path, *errors),
                openapi_extra={"parameters": path_parameters(path), **(json_request(body) if body else {})},
            )
        return endpoint

    return register


@_model_route(
    "POST",
    ":predict",
    "Score images or pictures",
    MalformedRequest("The body must have either 'instances', one for each image, or 'inputs', not both."),
    *_FIND,
    *_SCORE,
    body=schemas.Predict,
    response=schemas.Predictions,
)
async def predict(request: Request) -> Response:
    """Score images, as `instances` (rows) or `inputs` (columns). `{"b64": ...}` is a picture file."""
    body_reader: BodyReader = request.app.state.body_reader
    tensor_predictor: TensorPredictor = request.app.state.tensor_predictor
    loaded = _find(request)
    async with body_reader.read(request) as body:
        with tensor_predictor.begin(loaded) as scoring:
            parsed = await parse_predict(body, max_files=tensor_predictor.max_files)
            answer = await write_predict(parsed, await scoring.score(parsed.inputs))
    return _json_response(request, loaded, answer)


@_model_route(
    "POST",
    ":classify",
    "Classify images or pictures",
    MalformedRequest(
        "The member 'examples' must be a list of objects {feature: value}. The feature is 'images' or 'image'."
    ),
    *_FIND,
    *_SCORE,
    body=schemas.Classify,
    response=schemas.Classifications,
)
async def classify(request: Request) -> Response:
    """Return the probability of every digit for each example."""
    body_reader: BodyReader = request.app.state.body_reader
    tensor_predictor: TensorPredictor = request.app.state.tensor_predictor
    loaded = _find(request)
    async with body_reader.read(request) as body:
        with tensor_predictor.begin(loaded) as scoring:
            inputs = await parse_classify(body, max_files=tensor_predictor.max_files)
            answer = await write_classify(await scoring.score(inputs))
    return _json_response(request, loaded, answer)


@_model_route(
    "POST",
    ":regress",
    "Refuse to regress",
    MalformedRequest(_NO_REGRESSION),
    *_FIND,
    *example_errors.POST,
    response=schemas.Predictions,
)
async def regress(request: Request) -> Response:
    """Respond with 400: the models have no signature for regression."""
    _find_any(request)
    raise MalformedRequest(_NO_REGRESSION)


@_model_route("GET", "", "Get the states of versions", _UNKNOWN_LABEL, *_FIND, response=schemas.ServableStatus)
async def status(request: Request) -> dict[str, Any]:
    """Return the states of all versions of a model, or of the version in the path."""
    versions = servables.list_versions(request.app.state.catalogue, *_parse_path(request))
    return describe_status(versions)


@_model_route(
    "GET", "/metadata", "Get the signatures of a version", _UNKNOWN_LABEL, *_FIND, response=schemas.ServableMetadata
)
async def metadata(request: Request) -> dict[str, Any]:
    """Return the signatures of a version."""
    return describe_metadata(_find_any(request))


@router.get(
    "/v1/models",
    summary="List the names of the models",
    response_model=schemas.ModelNames,
    responses=responses("/v1/models"),
)
@router.get("/v1/models/", include_in_schema=False)
async def list_models(request: Request) -> dict[str, list[str]]:
    """Return all names, as version 1 of KServe's protocol does."""
    catalogue: ModelCatalogue = request.app.state.catalogue
    return {"models": list(catalogue.models)}


@router.get("/monitoring/prometheus/metrics", include_in_schema=False)
async def metrics(request: Request) -> Response:
    """Return the metrics for Prometheus at the address of TensorFlow Serving."""
    metrics: ServiceMetrics = request.app.state.metrics
    accept = negotiate(",".join(request.headers.getlist("accept")), ("text/plain", "application/openmetrics-text"))
    body, content_type = metrics.exposition(accept.ranges)
    return Response(body, headers={"content-type": content_type})


@router.api_route("/v1", methods=["GET", "POST", "PUT", "DELETE", "PATCH"], include_in_schema=False)
@router.api_route("/v1/{rest:path}", methods=["GET", "POST", "PUT", "DELETE", "PATCH"], include_in_schema=False)
async def malformed(request: Request) -> Response:
    """Respond to all other paths as TensorFlow Serving does."""
    raise _malformed_request(request)


def _malformed_request(request: Request) -> MalformedRequest:
    return MalformedRequest(f"Malformed request: {request.method} {request.url.path}")


def _parse_path(request: Request) -> tuple[str, int | None, str | None]:
    """Return the model, the version and the label in a path."""
    name, version, label = (request.path_params.get(part) for part in ("model", "version", "label"))
    if ":" in f"{name}{version}{label}":  # such as GET of `:predict`
        raise _malformed_request(request)
    if version is not None and not _VERSION.fullmatch(version):
        raise _malformed_request(request)
    return str(name), None if version is None else int(version), label


def _find(request: Request) -> LoadedVersion:
    """Find the version in the path, of a classifier."""
    return servables.find(request.app.state.catalogue, *_parse_path(request))


def _find_any(request: Request) -> Loaded:
    """Find the version in the path, of a model of any task."""
    return servables.find_any(request.app.state.catalogue, *_parse_path(request))


def _json_response(request: Request, loaded: LoadedVersion, body: bytes) -> Response:
    request.scope["state"]["answered_by"] = loaded.card.name, loaded.card.version
    return Response(body, media_type="application/json")
