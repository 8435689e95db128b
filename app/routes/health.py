"""`/health/live` and `/health/ready`."""

from fastapi import APIRouter, Request

from app.errors import NotReady
from app.model_repository.repository import ModelRepository
from app.schemas import Health
from app.web import problems

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live", summary="Whether the process is alive")
async def live() -> Health:
    """Answer, always: who gets no answer should start the process again."""
    return Health(status="live")


@router.get("/ready", summary="Whether predictions are answered", responses=problems.responses(503))
async def ready(request: Request) -> Health:
    """Answer 503 until every required model has answered a warm-up."""
    repository: ModelRepository = request.app.state.repository
    if missing := repository.missing():
        raise NotReady(" ".join(missing.values()))
    return Health(status="ready")
