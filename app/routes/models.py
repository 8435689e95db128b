"""`/models` and `/metrics`: what is served, and how good it is."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from app.model_repository.card import Card, TestReport
from app.model_repository.repository import ModelRepository
from app.observability.metrics import ServiceMetrics
from app.schemas import State
from app.web.content_negotiation import negotiate

router = APIRouter(tags=["models"])

_JSON = "application/json"
_PROMETHEUS = ("text/plain", "application/openmetrics-text")
_BY_ACCEPT = {"Vary": "Accept"}


class VersionStatus(BaseModel):
    """One version of a model."""

    version: int
    state: State
    reason: Annotated[str | None, Field(description="Why its files cannot be served, if so.")]
    card: Annotated[Card | None, Field(description="Its model.json, if that can be read; null for a failed one.")]


class ModelStatus(BaseModel):
    """One model and its versions, the newest first."""

    name: str
    served: Annotated[int | None, Field(description="The version that answers when a request names none.")]
    labels: Annotated[dict[str, int], Field(description="The version that each label stands for.")]
    reason: Annotated[str | None, Field(description="Why its folder cannot be read, if so.")]
    versions: list[VersionStatus]


class ModelList(BaseModel):
    """Every model in the folder."""

    models: list[ModelStatus]


class ServedModel(BaseModel):
    """How good the served version of a model is."""

    version: int
    architecture: str
    parameters: int
    multiply_adds: int
    temperature: float
    test: TestReport


class Metrics(BaseModel):
    """The accuracy of the served models on the 10,000 MNIST test images."""

    models: dict[str, ServedModel]


@router.get("/models", summary="List every model and version")
async def list_models(request: Request) -> ModelList:
    """Give the state of each version, and its card."""
    repository: ModelRepository = request.app.state.repository
    cards = await repository.cards()
    served = {version.card.name: version.card.version for version in repository.served()}
    return ModelList(
        models=[
            ModelStatus(
                name=name,
                served=served.get(name),
                labels=repository.labels(name),
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
            for name, versions in repository.models.items()
        ]
    )


@router.get(
    "/metrics",
    summary="How good the models are, and how the service fares",
    response_model=Metrics,
    responses={200: {"content": {type_: {"schema": {"type": "string"}} for type_ in _PROMETHEUS}}},
)
async def metrics(request: Request) -> Response:
    """Give the test accuracy as JSON, or all metrics for Prometheus if the Accept header prefers its format."""
    choice = negotiate(",".join(request.headers.getlist("accept")), (_JSON, *_PROMETHEUS))
    if choice.media_type != _JSON:
        metrics: ServiceMetrics = request.app.state.metrics
        body, content_type = metrics.exposition(choice.ranges)
        return Response(body, headers={"content-type": content_type, **_BY_ACCEPT})
    repository: ModelRepository = request.app.state.repository
    answer = Metrics(
        models={
            version.card.name: ServedModel(
                version=version.card.version,
                architecture=version.card.architecture,
                parameters=version.card.parameters,
                multiply_adds=version.card.multiply_adds,
                temperature=version.card.temperature,
                test=version.card.test,
            )
            for version in repository.served()
        }
    )
    return Response(answer.model_dump_json(), headers=_BY_ACCEPT, media_type=_JSON)
