"""Opens the model repository, keeps it up to date, and closes it when the service stops."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

from app.inference.batching import BatchTracer
from app.model_repository.control import ModelControl, control_folder
from app.model_repository.model_collector import ModelCollector
from app.model_repository.repository import ModelRepository
from app.model_repository.shadow import Shadow, ShadowPair
from app.model_repository.watcher import refresh_regularly
from app.model_repository.workers import WorkerGroup
from app.observability.metrics import ServiceMetrics
from app.settings import Settings


@asynccontextmanager
async def open_repository(
    settings: Settings, metrics: ServiceMetrics, tracer: BatchTracer | None
) -> AsyncIterator[ModelRepository]:
    """Open the repository in `MODELS_DIR`; models are loaded in the background."""
    shadow = Shadow(ShadowPair.parse(settings.shadow), metrics) if settings.shadow else None
    with control_folder() as folder:
        workers = WorkerGroup(folder) if settings.workers > 1 else None
        control = ModelControl(folder, workers)
        async with (
            ModelRepository(settings, metrics, control, shadow=shadow, tracer=tracer) as repository,
            workers.listening(repository.follow) if workers else nullcontext(),
            asyncio.TaskGroup() as group,
        ):
            metrics.add_collector(ModelCollector(repository.catalogue, engine=settings.engine))
            tasks = [group.create_task(refresh_regularly(repository))]
            if shadow is not None:
                tasks.append(group.create_task(shadow.run(repository.catalogue.find)))
            yield repository
            for task in tasks:
                task.cancel()
