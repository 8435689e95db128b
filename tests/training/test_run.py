import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import imaging
from app.model_repository.card import Card
from training import builders, run
from training.batch_normalisation import build_normalised_convnet
from training.data.examples import NOT_A_DIGIT, Examples
from training.data.mnist import Mnist
from training.data.sources import Source
from training.errors import ArtefactError, BelowThreshold, CandidateRejected
from training.evaluation.metrics import accuracy, softmax
from training.networks import build_convnet
from training.progress import HistoryPoint
from training.publishing.artefacts import digests
from training.publishing.checkpoints import Checkpoint
from training.publishing.export import Servable, predict_in_batches
from training.recipes import CONVNET, LESSON_CONVNET, SOFTMAX, ConvolutionShape, Distillation, TrainingRecipe
from training.registry import find_classifier
from training.summary import describe_layers

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def result(bars: Mnist) -> run.Run:
    quick = replace(CONVNET, iterations=60, batch_size=25, warmup=5, synthetic_digits=10, synthetic_non_digits=10)
    plain = replace(quick, augmentation=None, distillation=None, corrupted_accuracy_threshold=0.0)
    return run.train(plain, bars)


def published(result: run.Run, models: Path, mnist: Mnist, *, force: bool = False) -> Path:
    folder = run.publish(result, models, mnist.test, force=force)
    assert folder
    return folder


def test_the_card_describes_the_run(result: run.Run, bars: Mnist) -> None:
    card = result.card
    assert (card["name"], card["title"]) == ("convnet", "Convolutional network")
    assert card["architecture"] == describe_layers(result.network.for_inference())
    assert card["parameters"] > card["training"]["iterations"] == 60
    assert card["data"]["split"] == {"train": 500, "validation": 130, "test": 170}
    assert card["history"][-1]["iteration"] == 60
    assert card["validation"]["total"] == 130
    assert card["test"]["total"] == 170
    assert json.loads(json.dumps(card))["test"]["confusion"] == card["test"]["confusion"]


def test_the_card_has_the_version_of_the_project(result: run.Run) -> None:
    assert result.card["software"]["digitserve"] == imaging.__version__


def test_the_temperature_of_the_card_is_that_of_the_graph(result: run.Run, bars: Mnist) -> None:
    logits, probabilities = predict_in_batches(result.servable.predict, bars.test.images)
    np.testing.assert_allclose(probabilities, softmax(logits / result.card["temperature"]), atol=1e-5)
    assert result.card["temperature"] != 1


def test_a_linear_model_has_no_energy_threshold(result: run.Run, bars: Mnist) -> None:
    stages: list[str] = []
    linear = run.train(replace(SOFTMAX, iterations=10), bars, on_stage=stages.append)
    assert [stage.split()[0] for stage in stages] == ["choosing", "evaluating"]
    assert linear.card["abstention"]["energy"] is None
    assert result.card["abstention"]["energy"] < 0


def test_synthetic_examples_are_appended(bars: Mnist) -> None:
    recipe = replace(CONVNET, synthetic_digits=20, synthetic_non_digits=10)
    joined, again, other = (run.add_synthetic_examples(bars.train, replace(recipe, seed=seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(joined.images[:500], bars.train.images)
    assert [*np.bincount(joined.labels[500:520])] == [2] * 10
    assert [*joined.labels[520:]] == [NOT_A_DIGIT] * 10
    np.testing.assert_array_equal(joined.images, again.images)
    assert not np.array_equal(joined.images, other.images)


def test_the_softmax_recipe_has_no_synthetic_examples(bars: Mnist) -> None:
    joined = run.add_synthetic_examples(bars.train, SOFTMAX)
    np.testing.assert_array_equal(joined.images, bars.train.images)
    np.testing.assert_array_equal(joined.labels, bars.train.labels)


def test_the_card_lists_the_sources(bars: Mnist) -> None:
    source = Source("corrections", "feedback", "0" * 64, train=bars.test[:30], held_out=bars.test[30:40], warnings=())
    card = run.train(replace(SOFTMAX, iterations=10), bars, sources=[source]).card
    assert card["data"]["also"] == [source.as_json()]


def test_the_network_is_trained_on_the_sources(bars: Mnist) -> None:
    upside_down = Examples(bars.train.images[:, ::-1], 9 - bars.train.labels)
    source = Source("upside-down", "pictures", "0" * 64, train=upside_down, held_out=bars.test[:0], warnings=())
    recipe = replace(SOFTMAX, iterations=300, learning_rate=0.1, source_share=0.9)
    without, with_it = (run.train(recipe, bars, sources=sources).servable.predict for sources in ([], [source]))
    images, labels = bars.test.images[:, ::-1], 9 - bars.test.labels
    assert (
        accuracy(predict_in_batches(without, images)[0], labels)
        < 0.5
        < accuracy(predict_in_batches(with_it, images)[0], labels)
    )


def test_the_published_card_has_the_teacher(result: run.Run, bars: Mnist, tmp_path: Path) -> None:
    teacher = published(replace(result, card={**result.card, "training": {"bar": 0.0}}), tmp_path, bars)
    recipe = replace(
        SOFTMAX,
        iterations=10,
        accuracy_threshold=0.0,
        distillation=Distillation("convnet", temperature=1.0, share=0.5),
    )
    folder = published(run.train(recipe, bars, models=tmp_path), tmp_path, bars)
    card = Card.model_validate_json((folder / "model.json").read_bytes())
    assert card.teacher
    assert (card.teacher.name, card.teacher.version, card.teacher.files) == ("convnet", 1, digests(teacher))
    assert "teacher" not in result.card


def test_the_teacher_must_be_in_the_folder_of_models(bars: Mnist, tmp_path: Path) -> None:
    recipe = replace(SOFTMAX, distillation=Distillation("convnet/1", temperature=1.0, share=0.5))
    with pytest.raises(ArtefactError, match=r"^The teacher convnet/1 is not in "):
        run.train(recipe, bars, models=tmp_path)


def test_a_run_does_not_continue_with_another_teacher(
    result: run.Run, bars: Mnist, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.callbacks.VALIDATION_INTERVAL", 50)
    recipe = replace(SOFTMAX, iterations=100, distillation=Distillation("convnet/1", temperature=1.0, share=0.5))
    untrained = build_convnet(seed=1)
    result = replace(result, card={**result.card, "training": {"bar": 0.0}})
    other = replace(result, network=untrained, servable=Servable(untrained, 1.0))

    def starts_at(teacher: run.Run, models: Path) -> int:
        if not models.exists():
            published(teacher, models, bars)
        completed: list[int] = []

        def record(done: int, _point: HistoryPoint | None) -> None:
            completed.append(done)

        run.train(recipe, bars, record, models=models, checkpoint_path=tmp_path / "checkpoint.npz")
        return min(completed, default=recipe.iterations)

    assert starts_at(result, tmp_path / "one") == 1
    assert starts_at(result, tmp_path / "one") == 100  # the whole run is in the checkpoint
    assert starts_at(other, tmp_path / "two") == 1


def test_a_run_with_other_layer_shapes_does_not_continue(
    bars: Mnist, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def starts_anew(channels: int) -> bool:
        shapes = (ConvolutionShape(channels, stride=2),)
        monkeypatch.setattr(builders, "build_softmax", lambda recipe: build_normalised_convnet(shapes, recipe.seed))
        completed: list[int] = []
        recipe = replace(SOFTMAX, iterations=1, batch_size=20)
        run.train(
            recipe, bars, lambda done, _point: completed.append(done), checkpoint_path=tmp_path / "checkpoint.npz"
        )
        return completed == [1]

    assert starts_anew(channels=4)
    assert not starts_anew(channels=4)
    assert starts_anew(channels=6)


SMALL_CONVNET = replace(
    CONVNET,
    convolutions=(ConvolutionShape(8), ConvolutionShape(16, stride=2)),
    synthetic_digits=0,
    synthetic_non_digits=0,
    distillation=None,
)


@pytest.mark.parametrize("recipe", [SOFTMAX, LESSON_CONVNET, SMALL_CONVNET], ids=["softmax", "lesson", "convnet"])
def test_the_same_seed_gives_the_same_weights_bit_for_bit(bars: Mnist, recipe: TrainingRecipe) -> None:
    tf.config.experimental.enable_op_determinism()

    def train(seed: int) -> list[np.ndarray]:
        quick = replace(recipe, iterations=20, batch_size=20, seed=seed)
        network = find_classifier(quick.model).build(quick)
        run.train_network(network, quick, bars.train, bars.validation)
        return [variable.numpy() for variable in network.variables]

    first, again, other = train(7), train(7), train(8)
    for left, right in zip(first, again, strict=True):
        np.testing.assert_array_equal(left, right)
    assert not np.array_equal(first[-1], other[-1])


@pytest.mark.parametrize("recipe", [SOFTMAX, LESSON_CONVNET, SMALL_CONVNET], ids=["softmax", "lesson", "convnet"])
def test_an_interrupted_run_continues_to_the_same_weights(
    bars: Mnist, tmp_path: Path, recipe: TrainingRecipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    tf.config.experimental.enable_op_determinism()
    monkeypatch.setattr("training.callbacks.VALIDATION_INTERVAL", 20)
    recipe = replace(recipe, iterations=50, batch_size=20)
    checkpoint = Checkpoint(tmp_path / "checkpoint.npz", "this run")

    def stop(done: int, _point: HistoryPoint | None) -> None:
        if done > 40:
            raise KeyboardInterrupt

    whole, stopped, continued = (find_classifier(recipe.model).build(recipe) for _ in range(3))
    history = run.train_network(whole, recipe, bars.train, bars.validation)
    assert [point.iteration for point in history] == [20, 40, 50]
    with pytest.raises(KeyboardInterrupt):
        run.train_network(stopped, recipe, bars.train, bars.validation, stop, checkpoint=checkpoint)
    completed: list[int] = []

    def record(done: int, _point: HistoryPoint | None) -> None:
        completed.append(done)

    again = run.train_network(continued, recipe, bars.train, bars.validation, record, checkpoint=checkpoint)
    assert completed == [*range(41, 51)]
    assert again == history
    for left, right in zip(whole.variables, continued.variables, strict=True):
        np.testing.assert_array_equal(left, right)


def test_the_report_of_a_published_run_is_verified(result: run.Run, bars: Mnist, tmp_path: Path) -> None:
    folder = published(replace(result, card={**result.card, "training": {"bar": 0.0}}), tmp_path, bars)
    report, differing = run.verify_report(folder, bars)
    assert differing == []
    assert report["correct"] == result.card["test"]["correct"]


def test_a_card_without_a_newer_field_is_verified(result: run.Run, bars: Mnist, tmp_path: Path) -> None:
    fewer_fields = {name: value for name, value in result.card["test"].items() if name != "reliability"}
    folder = published(
        replace(result, card={**result.card, "training": {"bar": 0.0}, "test": fewer_fields}), tmp_path, bars
    )
    assert run.verify_report(folder, bars)[1] == []


def test_a_card_with_altered_metrics_is_detected(result: run.Run, bars: Mnist, tmp_path: Path) -> None:
    altered = {**result.card["test"], "accuracy": 0.9999, "recall": [1.0] * 9 + [0.5]}
    folder = published(replace(result, card={**result.card, "test": altered}), tmp_path, bars)
    assert run.verify_report(folder, bars)[1] == ["accuracy", "recall"]


def test_a_run_below_its_threshold_publishes_nothing(result: run.Run, bars: Mnist, tmp_path: Path) -> None:
    inaccurate = {**result.card, "test": {**result.card["test"], "accuracy": 0.98}}
    with pytest.raises(
        BelowThreshold, match=r"test images is 98\.00%; expected at least 99\.50%\. Nothing was published"
    ):
        run.publish(replace(result, card=inaccurate), tmp_path, bars.test)
    assert list(tmp_path.iterdir()) == []


def test_identical_predictions_are_published_once(result: run.Run, bars: Mnist, tmp_path: Path) -> None:
    assert "comparison" not in json.loads((published(result, tmp_path, bars) / "model.json").read_text())
    assert run.publish(result, tmp_path, bars.test) is None
    assert [path.name for path in (tmp_path / "convnet").iterdir()] == ["1"]


def test_thresholds_are_tuned_once_and_published_with_the_same_saved_model(
    result: run.Run, bars: Mnist, tmp_path: Path
) -> None:
    old = {**result.card, "abstention": {"confidence": 0.5, "energy": -99.0}}  # abstains for everything
    folder = published(replace(result, card={**old, "training": {"bar": 0.0, "abstained": 0.1}}), tmp_path, bars)
    tuned, table = run.tune_thresholds("convnet", tmp_path, bars)
    assert tuned == tmp_path / "convnet" / "2"
    card, before = (json.loads((each / "model.json").read_text()) for each in (tuned, folder))
    assert card["abstention"] == result.card["abstention"]
    assert card["test"] == json.loads(json.dumps(result.card["test"]))  # tuples become lists
    assert card["files"] == before["files"] == digests(tuned)
    assert card["training"] == {"bar": 0.0}
    assert card["comparison"]["with_version"] == 1
    assert card["comparison"]["measures"][0]["verdict"] == "better"
    assert len(table) == 6
    assert run.tune_thresholds("convnet", tmp_path, bars)[0] is None


def test_a_worse_run_is_rejected_unless_forced(result: run.Run, bars: Mnist, tmp_path: Path) -> None:
    published(result, tmp_path, bars)
    untrained = build_convnet(seed=1)
    worse = replace(result, network=untrained, servable=Servable(untrained, 1.0))
    with pytest.raises(
        CandidateRejected, match=r"rejects the candidate\. Nothing was published(.|\n)*MNIST test, right: sig"
    ):
        run.publish(worse, tmp_path, bars.test)
    assert [path.name for path in (tmp_path / "convnet").iterdir()] == ["1"]

    card = json.loads((published(worse, tmp_path, bars, force=True) / "model.json").read_text())
    assert card["version"] == 2
    assert card["comparison"]["forced"]
    assert card["comparison"]["with_version"] == 1
    assert "MNIST test, right: significantly worse." in card["comparison"]["objections"]
    Card.model_validate(card)


@pytest.mark.parametrize(
    ("corrupted", "message"),
    [
        ({"fog": 0.95, "scale": 0.98}, r"corrupted test images is 96\.50%; expected at least 97\.00%"),
        (
            {"fog": 0.89, "scale": 0.99, "shear": 1.0, "rotate": 1.0},
            r"test images corrupted by fog is 89\.00%; expected at least 90\.00%",
        ),
    ],
)
def test_a_run_below_its_corruption_threshold_publishes_nothing(
    result: run.Run, bars: Mnist, tmp_path: Path, corrupted: dict[str, float], message: str
) -> None:
    thresholds = {
        **result.card["training"],
        "bar": 0.0,
        "bar_corrupted": 0.97,
        "bar_each_corruption": 0.9,
    }
    with pytest.raises(BelowThreshold, match=message):
        run.publish(
            replace(result, card={**result.card, "training": thresholds, "corrupted": corrupted}), tmp_path, bars.test
        )
    assert list(tmp_path.iterdir()) == []


def test_the_convnet_recipe_has_thresholds_for_corruptions() -> None:
    assert (CONVNET.corrupted_accuracy_threshold, CONVNET.worst_corruption_threshold) == (0.97, 0.9)
