from training.progress import HistoryPoint


def test_a_point_of_the_training_curves_names_its_score() -> None:
    point = HistoryPoint(iteration=250, loss=0.5, validation_score=0.9)
    assert point.as_json("accuracy") == {"iteration": 250, "loss": 0.5, "validation_accuracy": 0.9}
    assert point.as_json("ink_f1") == {"iteration": 250, "loss": 0.5, "validation_ink_f1": 0.9}
