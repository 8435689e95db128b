"""What can go wrong that a person can mend. Each message says what was wrong, what was expected and what to do."""


class TrainingError(Exception):
    """The root of the tree."""


class ConfigError(TrainingError):
    """A value of the configuration is one that no run could use."""


class DataError(TrainingError):
    """MNIST, or what else is to be read, cannot be had as it should be."""


class AlreadyRunning(TrainingError):
    """Another run is at work in the same folder of models."""


class BarMissed(TrainingError):
    """A run reads too few test images right to be published."""


class GateClosed(TrainingError):
    """A run is no better than the version that is served, or worse."""


class FolderError(TrainingError):
    """A folder cannot be made or written into."""


class ArtefactError(TrainingError):
    """An artefact cannot be found, or is not what its card says."""
