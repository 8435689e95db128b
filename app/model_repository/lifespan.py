"""Opens the model repository, keeps it up to date, and closes it when the service stops."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from app.inference.batching import BatchTracer
from app.model_repository.control import ModelControl, control_folder
from app.model_repository.model_collector import ModelCollector
from app.model_repository.repository import ModelRepository
from app.model_repository.shadow import Shadow, ShadowPair
from app.model_repository.watcher import refresh_regularly
from app.model_repository.workers import WorkerGroup
from app.observability.metrics import ServiceMetrics
from app.settings import Settings

if TYPE_CHECKING:
    from app.model_repository.mirror import ModelMirror

FIRST_COPY_SECONDS = 5.0
"""How long the start waits for a copy of the models in an object store."""


@asynccontextmanager
async def open_repository(
    settings: Settings, metrics: ServiceMetrics, tracer: BatchTracer | None
) -> AsyncIterator[ModelRepository]:
    """Open the repository in `MODELS_DIR`; models are loaded, and copied from an object store, in the background."""
    shadow = Shadow(ShadowPair.parse(settings.shadow), metrics) if settings.shadow else None
    with control_folder() as folder:
        workers = WorkerGroup(folder) if settings.workers > 1 else None
        control = ModelControl(folder, workers)
        async with (
            _mirror(settings, folder) as mirror,
            ModelRepository(
                settings.model_copy(update={"models_dir": mirror.folder}) if mirror else settings,
                metrics,
                control,
                mirror=mirror,
                shadow=shadow,
                tracer=tracer,
            ) as repository,
            workers.listening(repository.follow) if workers else nullcontext(),
            asyncio.TaskGroup() as group,
        ):
            metrics.add_collector(ModelCollector(repository.catalogue, engine=settings.engine))
            tasks = [group.create_task(refresh_regularly(repository))]
            if mirror is not None:
                tasks.append(group.create_task(mirror.run()))
            if shadow is not None:
                tasks.append(group.create_task(shadow.run(repository.catalogue.find)))
            yield repository
            for task in tasks:
                task.cancel()


@asynccontextmanager
async def _mirror(settings: Settings, control_folder: Path) -> "AsyncIterator[ModelMirror | None]":
    """Open the mirror of an object store, in a folder that all workers share; None for a folder on disk."""
    address = settings.models_dir
    if isinstance(address, Path):
        yield None
        return
    # fsspec takes a megabyte, and fcntl is missing on Windows: services with a folder need neither.
    from app.model_repository.mirror import ModelMirror  # noqa: PLC0415

    name = hashlib.sha256(address.encode()).hexdigest()[:16]
    folder = (settings.models_cache_dir or control_folder) / f".mirror-{name}"
    mirror = ModelMirror(address, folder, settings)
    try:
        with suppress(TimeoutError):
            await asyncio.wait_for(mirror.update(), FIRST_COPY_SECONDS)
        yield mirror
    finally:
        await mirror.close()
