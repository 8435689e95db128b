import json

from training.progress import HistoryPoint


def test_a_point_of_the_training_curves_survives_json() -> None:
    point = HistoryPoint(iteration=250, loss=0.5, validation_accuracy=0.9)
    assert HistoryPoint(**json.loads(json.dumps(point.as_json()))) == point
