"""The parts of the application that the services use."""

from typing import NamedTuple

from app.model_repository.repository import ModelRepository
from app.observability.statistics import Statistics
from app.protocols.tensor_predictor import TensorPredictor
from app.settings import Settings

BATCH_ITERATIONS = 10
"""How long a batch waits for more images, in iterations of the event loop: see `Batcher.score`.

gRPC delivers the parts of a call in several iterations, mixed with those of other calls. With 16 calls at a time, a
batch has 2.5 images on average, and 1.1 after two iterations."""


class Parts(NamedTuple):
    """The same as behind the routes."""

    settings: Settings
    repository: ModelRepository
    tensor_predictor: TensorPredictor
    statistics: Statistics
