"""A catalogue of models without files."""

from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from app.model_repository.catalogue import ModelCatalogue
from app.model_repository.control import Command
from app.model_repository.scan import Scan
from app.model_repository.versions import LoadedVersion
from app.settings import Settings


def catalogue(versions: dict[str, list[int]], **settings: object) -> ModelCatalogue:
    """Return a catalogue whose wanted versions are ready."""
    made = ModelCatalogue(Settings.model_validate({"models_dir": Path("models"), **settings}))
    made.listing_error = None
    made.apply(Scan(versions, {}, defaultdict(tuple), {}))
    for version in made.to_load():
        card: Any = SimpleNamespace(name=version.directory.parent.name, version=version.number)
        batcher: Any = None
        version.mark_ready(LoadedVersion(card, batcher), ())
    made.update_ready()
    return made


def unload(models: ModelCatalogue, versions: dict[str, list[int]], name: str) -> None:
    """Unload a model, as by a command."""
    models.apply(Scan(versions, {}, defaultdict(tuple), {name: Command("unload", 1)}))
    for version in models.to_unload():
        version.mark_unloading()
    models.update_ready()
