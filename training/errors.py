"""The errors of the training program that a user can resolve.

Each message says what was wrong, what was expected and what to do.
"""


class TrainingError(Exception):
    """The base class of the errors of the training program."""


class RecipeError(TrainingError):
    """A value of a training recipe is out of range."""


class UnknownModel(TrainingError):
    """No classifier with this name is registered."""


class DataError(TrainingError):
    """A data set or a source is missing, damaged or unreadable."""


class AlreadyRunning(TrainingError):
    """Another training run uses the same folder of models."""


class BelowThreshold(TrainingError):
    """The accuracy of a trained model is below the threshold for publishing."""


class CandidateRejected(TrainingError):
    """The promotion gate rejects a trained model in favour of the served version."""


class FolderError(TrainingError):
    """A folder cannot be created or written to."""


class ArtefactError(TrainingError):
    """A published version is missing, or its files do not match its model card."""
