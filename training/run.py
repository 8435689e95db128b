"""A training run from data to a published version, and the verification of a published version.

Knows nothing of the command line.
"""

import base64
import tempfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from training import loop, registry
from training.batch_preparation import prepare_batches
from training.callbacks import Curves, Saver, report, restore
from training.data.examples import Examples
from training.data.mnist import Mnist
from training.data.sources import Source, add_sources
from training.data.synthetic_examples import generate_digits, generate_non_digits
from training.data.threshold_examples import threshold_examples
from training.distillation import Teacher, load_teacher
from training.errors import BelowThreshold, CandidateRejected
from training.evaluation import abstention, metrics, promotion_gate, reports
from training.evaluation.comparison import ComparedModel, compare, compare_abstention, comparison_table
from training.evaluation.robustness import measure_robustness
from training.optimizers import build_optimizer
from training.progress import HistoryPoint, OnProgress, OnStage
from training.provenance import describe_provenance
from training.publishing import artefacts, export
from training.publishing.checkpoints import Checkpoint, fingerprint
from training.publishing.published_versions import find_teacher, find_version, list_versions
from training.recipes import TrainingRecipe
from training.summary import count_multiply_adds, count_parameters, describe_layers


@dataclass(frozen=True)
class Run:
    """The result of a training run: the trained network, the model to publish, and its model card.

    The card lacks the fields that publishing adds.
    """

    network: tf.Module
    servable: export.Servable
    card: dict[str, Any]


def train(  # noqa: PLR0913 (the inputs of a run, and its folders)
    recipe: TrainingRecipe,
    mnist: Mnist,
    on_progress: OnProgress = lambda _iteration, _point: None,
    sources: Sequence[Source] = (),
    *,
    models: Path = Path("models"),
    checkpoint_path: Path | None = None,
    on_stage: OnStage = lambda _stage: None,
) -> Run:
    """Train a network, calibrate it on the validation part and evaluate it on the test part. Publishes nothing.

    The same recipe and data on the same machine give the same weights, bit for bit.

    Args:
        recipe: The recipe. Its teacher, if it has one, must be in `models`.
        mnist: The data set.
        on_progress: Called with the number of completed iterations and the latest point of the training curves.
        sources: Training data besides MNIST. Their held-out parts are not used.
        models: The folder of published models.
        checkpoint_path: The file for the progress of the run. If it holds the progress of the same run, the run
            continues from there.
        on_stage: Called with what the run does after the last iteration, before each part of it.

    Raises ArtefactError if the teacher is missing or does not match its model card.

    """
    distillation = recipe.distillation
    teacher = load_teacher(find_teacher(models, distillation.teacher), distillation) if distillation else None
    tf.config.experimental.enable_op_determinism()
    tf.keras.utils.set_random_seed(recipe.seed)
    classifier = registry.find_classifier(recipe.model)
    network = classifier.build(recipe)
    examples = add_sources(add_synthetic_examples(mnist.train, recipe), sources, recipe.source_share)
    checkpoint = open_checkpoint(checkpoint_path, recipe, examples, teacher, network) if checkpoint_path else None
    history = train_network(network, recipe, examples, mnist.validation, on_progress, teacher, checkpoint)

    on_stage("choosing the temperature and the thresholds for abstention")
    published = for_inference(network)
    servable = calibrate(published, mnist.validation)
    classify = partial(export.predict_in_batches, servable.predict)
    _, probabilities = classify(mnist.validation.images)
    choice = choose_thresholds(classify, mnist.validation, with_energy=classifier.has_energy_threshold)
    on_stage("evaluating on the test images")
    card = {
        "name": classifier.name,
        "title": classifier.title,
        "architecture": describe_layers(published),
        "parameters": count_parameters(network),
        "multiply_adds": count_multiply_adds(published),
        **describe_provenance(recipe, mnist, sources, teacher.card if teacher else None),
        "history": [point.as_json("accuracy") for point in history],
        "validation": reports.accuracy_report(probabilities, mnist.validation.labels),
        "test": reports.classification_report(*classify(mnist.test.images), mnist.test.labels, choice.thresholds),
        "temperature": servable.temperature,
        "abstention": choice.thresholds,
        "software": export.software_versions(),
        "self_test": record_self_test(servable),
    }
    if recipe.corrupted_accuracy_threshold:
        card["corrupted"] = measure_robustness(classify, mnist.test, on_stage)
    return Run(network, servable, card)


def for_inference(network: tf.Module) -> tf.Module:
    """Return the network that is evaluated and published.

    It is the network itself, unless the network computes something else in training and has a method `for_inference`.
    """
    return network.for_inference() if hasattr(network, "for_inference") else network


def train_network(  # noqa: PLR0913, PLR0917 (the network, and what is added to plain training)
    network: tf.Module,
    recipe: TrainingRecipe,
    examples: Examples,
    validation: Examples,
    on_progress: OnProgress = lambda _iteration, _point: None,
    teacher: Teacher | None = None,
    checkpoint: Checkpoint | None = None,
) -> list[HistoryPoint]:
    """Train the network in place with all additions of a recipe. Return the training curves.

    With a checkpoint, the progress is saved at each point of the curves. If the checkpoint has progress already, the
    run continues from there, and reaches the same weights as a run without interruption.
    """
    optimizer = build_optimizer(recipe, network.trainable_variables)
    variables = [*network.variables, *optimizer.variables]
    completed, history = restore(variables, checkpoint)
    batches = islice(loop.draw_batches(examples, recipe.batch_size, recipe.seed), completed, recipe.iterations)
    prepared = prepare_batches(batches, recipe, teacher, completed)
    callbacks: list[loop.Callback] = [
        Curves(lambda: loop.evaluate(for_inference(network), validation), recipe.iterations, history)
    ]
    if checkpoint:
        callbacks.append(Saver(checkpoint, variables, history))
    callbacks.append(report(on_progress, history))
    loop.train(loop.compile_step(network, optimizer), prepared, callbacks, completed)
    return history


def open_checkpoint(
    path: Path, recipe: TrainingRecipe, examples: Examples, teacher: Teacher | None, network: tf.Module
) -> Checkpoint:
    """Return the checkpoint of a run. Only a run with the same recipe, data, teacher, software and layers loads it."""
    dependencies = {**export.software_versions(), **(teacher.card["files"] if teacher else {})}
    shapes = [variable.shape.as_list() for variable in network.variables]
    return Checkpoint(path, fingerprint(recipe, examples, dependencies, shapes))


def calibrate(network: tf.Module, validation: Examples) -> export.Servable:
    """Return the model to publish, with the softmax temperature that fits the validation part best."""
    uncalibrated = export.Servable(network, temperature=1.0)
    logits, _ = export.predict_in_batches(uncalibrated.predict, validation.images)
    return export.Servable(network, metrics.fit_temperature(logits, validation.labels))


@dataclass(frozen=True)
class ThresholdChoice:
    """The thresholds that were chosen, and the predictions on which they were chosen."""

    thresholds: dict[str, float | None]
    measure: Callable[[dict[str, float | None]], abstention.AbstentionRates]
    """Measures the rates of any thresholds on the same predictions."""


def choose_thresholds(classify: metrics.Classifier, validation: Examples, *, with_energy: bool) -> ThresholdChoice:
    """Choose the thresholds of a model for abstention on the validation part and what is drawn from it.

    A model without an energy threshold is not expected to tell what is no digit, so there are no symbols then.
    """
    examples = threshold_examples(validation, with_symbols=with_energy)
    predictions = *classify(examples.images), examples.labels
    thresholds = abstention.choose_thresholds(*predictions, with_energy=with_energy)
    return ThresholdChoice(thresholds, partial(abstention.measure_abstention, *predictions))


def record_self_test(servable: export.Servable) -> dict[str, Any]:
    """Record the predictions for ten synthetic digits. A service compares them with those of the loaded model."""
    images = generate_digits(10, np.random.default_rng(0)).images
    _, probabilities = export.predict_in_batches(servable.predict, images)
    return {
        "images": base64.b64encode(zlib.compress(images.tobytes(), level=9)).decode(),
        "probabilities": probabilities.astype(np.float64).round(6).tolist(),
    }


def add_synthetic_examples(examples: Examples, recipe: TrainingRecipe) -> Examples:
    """Append the synthetic examples of a recipe."""
    rng = np.random.default_rng(recipe.seed)
    return (
        examples + generate_digits(recipe.synthetic_digits, rng) + generate_non_digits(recipe.synthetic_non_digits, rng)
    )


def publish(  # noqa: PLR0913 (what is compared, and where it is published)
    run: Run,
    models: Path,
    test: Examples,
    held_out: Examples | None = None,
    *,
    force: bool = False,
    on_stage: OnStage = lambda _stage: None,
) -> Path | None:
    """Publish the result of a run as the next version, and return its folder.

    If a version is served already, the promotion gate compares both versions on the test part and on the held-out
    images. With `force`, the candidate is published whatever the gate decides, and its card records that. `on_stage` is
    called before the comparison, with what is done.

    Returns:
        The folder, or None if the run reproduced the served version.

    Raises BelowThreshold, even with `force`, if an accuracy is below its threshold, and CandidateRejected if the gate
    rejects the candidate.

    """
    check_thresholds(run.card)
    served = load_served_version(run.card["name"], models)
    if served is None:
        return export.publish(run.servable, run.card, models)
    on_stage(f"comparing with {served.title}")
    decision = promotion_gate.decide(served, load_candidate(run), test, held_out)
    if not force and decision.reproduced:
        return None
    if not force and decision.objections:
        msg = f"The promotion gate rejects the candidate. Nothing was published. --force publishes it.\n{decision}"
        raise CandidateRejected(msg)
    comparison = decision.as_json(served.card["version"], forced=force)
    return export.publish(run.servable, {**run.card, "comparison": comparison}, models)


def tune_thresholds(name: str, models: Path, mnist: Mnist) -> tuple[Path | None, list[str]]:
    """Choose the thresholds of the served version again, and publish them with the same SavedModel.

    Its digits and probabilities stay the same.

    Returns:
        The folder of the next version, or None if no other thresholds have a lower cost; and the lines of a Markdown
        table that compares the thresholds.

    Raises ArtefactError if there is no version, or it does not match its model card.

    """
    folder = find_version(models, name)
    served = load_version(folder)
    choice = choose_thresholds(
        served.classify, mnist.validation, with_energy=served.card["abstention"]["energy"] is not None
    )
    measures = compare_abstention(choice.measure(served.card["abstention"]), choice.measure(choice.thresholds))
    table = comparison_table(served.title, "tuned", measures)
    if measures[0].verdict != "better":
        return None, table
    comparison = promotion_gate.Decision(measures, table, [], reproduced=True)
    card = {
        **_card_with_thresholds(served, choice.thresholds, mnist.test),
        "comparison": comparison.as_json(served.card["version"], forced=False),
    }
    return artefacts.publish(partial(artefacts.copy_saved_model, folder), card, models), table


def _card_with_thresholds(served: ComparedModel, thresholds: dict[str, float | None], test: Examples) -> dict[str, Any]:
    logits, probabilities = served.classify(test.images)
    reasons = abstention.abstention_reasons(logits, probabilities, thresholds)
    card = {
        **served.card,
        "abstention": thresholds,
        "test": {**served.card["test"], "abstained": sum(reason is not None for reason in reasons)},
    }
    # A field of recipes of versions up to 5: the share of the validation digits that each threshold rejected.
    card["training"] = {name: value for name, value in card["training"].items() if name != "abstained"}
    return card


def check_thresholds(card: dict[str, Any]) -> None:
    """Raise BelowThreshold if the accuracy on test images, or on corrupted ones, is below the recipe's threshold."""
    recipe, corrupted = card["training"], card.get("corrupted", {})
    accuracies = {"test images": (card["test"]["accuracy"], recipe["bar"])}
    if corrupted:
        accuracies["corrupted test images"] = (float(np.mean(list(corrupted.values()))), recipe["bar_corrupted"])
        worst = min(corrupted, key=corrupted.__getitem__)
        accuracies[f"test images corrupted by {worst}"] = (corrupted[worst], recipe["bar_each_corruption"])
    for images, (accuracy, threshold) in accuracies.items():
        if accuracy < threshold:
            msg = (
                f"The accuracy of {card['name']} on {images} is {accuracy:.2%}; expected at least {threshold:.2%}. "
                "Nothing was published. Try the default recipe, or more iterations."
            )
            raise BelowThreshold(msg)


def compare_versions(before: Path, after: Path, mnist: Mnist, held_out: Examples) -> list[str]:
    """Compare two published versions on the test part and on held-out images. Return the lines of a Markdown table."""
    baseline, candidate = (load_version(folder) for folder in (before, after))
    measures = compare(baseline, candidate, mnist.test, held_out)
    return comparison_table(baseline.title, candidate.title, measures)


def load_candidate(run: Run) -> ComparedModel:
    """Prepare the result of a run for a comparison.

    The model is saved and loaded first, like a published version, because that changes its speed.
    """
    with tempfile.TemporaryDirectory() as folder:
        export.save(run.servable, Path(folder))
        signature = export.load_signature(Path(folder))
    return ComparedModel("the candidate", run.card, partial(export.predict_in_batches, signature))


def load_version(folder: Path) -> ComparedModel:
    """Load a published version for a comparison. Raises ArtefactError if it does not match its model card."""
    signature, card = export.load(folder)
    return ComparedModel(f"{card['name']} {card['version']}", card, partial(export.predict_in_batches, signature))


def load_served_version(name: str, models: Path) -> ComparedModel | None:
    """Load the served version of a model, the highest one, for a comparison. Return None if there is no version."""
    return load_version(find_version(models, name)) if list_versions(models / name) else None


def verify_report(folder: Path, mnist: Mnist) -> tuple[dict[str, Any], list[str]]:
    """Recompute the test report of an artefact. Return it, and the names of the fields that differ in `model.json`."""
    signature, card = export.load(folder)
    logits, probabilities = export.predict_in_batches(signature, mnist.test.images)
    report = reports.classification_report(logits, probabilities, mnist.test.labels, card["abstention"])
    recorded = {
        field: card["test"][field] for field in report if field in card["test"]
    }  # older cards have fewer fields
    return report, [field for field in recorded if not np.allclose(report[field], recorded[field], rtol=0, atol=1e-5)]
