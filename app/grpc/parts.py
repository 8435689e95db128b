"""The parts of the application that the services use."""

from typing import NamedTuple

from app.model_repository.repository import ModelRepository
from app.observability.statistics import Statistics
from app.protocols.tensor_predictor import TensorPredictor
from app.settings import Settings


class Parts(NamedTuple):
    """The same as behind the routes."""

    settings: Settings
    repository: ModelRepository
    tensor_predictor: TensorPredictor
    statistics: Statistics
