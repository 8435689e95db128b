"""`/health/live` and `/health/ready`: the probes of a container platform."""

from fastapi import APIRouter, Request

from app.errors import NotReady
from app.model_repository.catalogue import ModelCatalogue
from app.schemas import Health
from app.web import example_errors
from app.web.openapi import responses

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live", summary="Check that the process is alive", responses=responses("/health/live"))
async def live() -> Health:
    """Respond with 200 in every state. If there is no response, restart the process."""
    return Health(status="live")


@router.get(
    "/ready",
    summary="Check that the required models are ready",
    responses=responses("/health/ready", *example_errors.NOT_READY),
)
async def ready(request: Request) -> Health:
    """Respond with 503 until every required model has been loaded and verified."""
    catalogue: ModelCatalogue = request.app.state.catalogue
    if reasons := catalogue.not_ready_reasons():
        raise NotReady(" ".join(dict.fromkeys(reasons.values())))
    return Health(status="ready")
