"""`/models` and `/metrics`: what is served, and how good it is."""

from fastapi import APIRouter, Request, Response

from app.accept import choose
from app.repository import Repository
from app.schemas import Metrics, ModelList, ModelStatus, ServedModel, VersionStatus
from app.telemetry import Telemetry

router = APIRouter(tags=["models"])

_JSON = "application/json"
_PROMETHEUS = ("text/plain", "application/openmetrics-text")
_BY_ACCEPT = {"Vary": "Accept"}


@router.get("/models", summary="List every model and version")
async def list_models(request: Request) -> ModelList:
    """Give the state of each version, and its card."""
    repository: Repository = request.app.state.repository
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
    choice = choose(",".join(request.headers.getlist("accept")), (_JSON, *_PROMETHEUS))
    if choice.media_type != _JSON:
        telemetry: Telemetry = request.app.state.telemetry
        body, content_type = telemetry.exposition(choice.asked)
        return Response(body, headers={"content-type": content_type, **_BY_ACCEPT})
    repository: Repository = request.app.state.repository
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
