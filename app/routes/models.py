"""`/models` and `/metrics`: the versions of the models, their accuracy, and the metrics of the service."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from app.model_repository.card import AnyCard, Card, TestReport
from app.model_repository.catalogue import ModelCatalogue
from app.model_repository.repository import ModelRepository
from app.observability.metrics import ServiceMetrics
from app.schemas import State
from app.settings import Settings
from app.web.content_negotiation import negotiate
from app.web.openapi import responses

router = APIRouter(tags=["models"])

_JSON = "application/json"
_PROMETHEUS = ("text/plain", "application/openmetrics-text")
_VARY = {"Vary": "Accept"}


class VersionStatus(BaseModel):
    """The state of a version, and its card."""

    version: int
    state: State
    reason: Annotated[str | None, Field(description="Why its files cannot be served; null if they can.")]
    card: Annotated[
        AnyCard | None, Field(description="Its model.json; null if that cannot be read or the version has failed.")
    ]


class ModelStatus(BaseModel):
    """One model and its versions, the newest first."""

    name: str
    served: Annotated[int | None, Field(description="The default version, used for requests that name no version.")]
    labels: Annotated[dict[str, int], Field(description="The version of each label.")]
    reason: Annotated[str | None, Field(description="Why its folder cannot be read; null if it can.")]
    versions: list[VersionStatus]


class ModelList(BaseModel):
    """The models in the folder."""

    default_model: Annotated[str, Field(description="The model for requests that name none: `DEFAULT_MODEL`.")]
    models: list[ModelStatus]


class ServedModel(BaseModel):
    """The evaluation of the default version of a model."""

    version: int
    architecture: str
    parameters: int
    multiply_adds: int
    temperature: float
    test: TestReport


class Metrics(BaseModel):
    """The accuracy of the default versions of classifiers on the 10,000 MNIST test images."""

    models: dict[str, ServedModel]


@router.get("/models", summary="List the models and their versions", responses=responses("/models"))
async def list_models(request: Request) -> ModelList:
    """Return the state and the card of each version."""
    repository: ModelRepository = request.app.state.repository
    catalogue = repository.catalogue
    cards = await repository.read_cards()
    default = {loaded.card.name: loaded.card.version for loaded in catalogue.default_versions()}
    settings: Settings = request.app.state.settings
    return ModelList(
        default_model=settings.default_model,
        models=[
            ModelStatus(
                name=name,
                served=default.get(name),
                labels=catalogue.labels(name),
                reason=versions.reason,
                versions=[
                    VersionStatus(
                        version=version.number,
                        state=version.state,
                        reason=version.reason,
                        card=version.card or cards.get(version.directory),
                    )
                    for version in versions
                ],
            )
            for name, versions in catalogue.models.items()
        ],
    )


@router.get(
    "/metrics",
    summary="Get the test accuracy of the models, or the metrics of the service",
    response_model=Metrics,
    responses={
        200: {"content": {type_: {"schema": {"type": "string"}} for type_ in _PROMETHEUS}},
        **responses("/metrics"),
    },
)
async def metrics(request: Request) -> Response:
    """Return the test accuracy as JSON, or all metrics for Prometheus if the Accept header prefers that format.

    Without an Accept header, which some programs for monitoring do not send, the metrics are returned, too.
    """
    accept = ",".join(request.headers.getlist("accept"))
    choice = negotiate(accept, (_JSON, *_PROMETHEUS) if accept else (*_PROMETHEUS, _JSON))
    if choice.media_type != _JSON:
        metrics: ServiceMetrics = request.app.state.metrics
        body, content_type = metrics.exposition(choice.ranges)
        return Response(body, headers={"content-type": content_type, **_VARY})
    catalogue: ModelCatalogue = request.app.state.catalogue
    accuracies = Metrics(
        models={
            card.name: ServedModel(
                version=card.version,
                architecture=card.architecture,
                parameters=card.parameters,
                multiply_adds=card.multiply_adds,
                temperature=card.temperature,
                test=card.test,
            )
            for card in (loaded.card for loaded in catalogue.default_versions())
            if isinstance(card, Card)
        }
    )
    return Response(accuracies.model_dump_json(), headers=_VARY, media_type=_JSON)
