import inspect

from training import errors


def test_every_error_is_a_training_error() -> None:
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]
    assert len(kinds) > 1
    assert all(issubclass(kind, errors.TrainingError) for kind in kinds)
