"""A training run from the data to the published artefact, and the check of one. Knows nothing of the command line."""

import base64
import platform
import tempfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

import imaging
from training import evaluate, export, gate
from training.checkpoints import Checkpoint, fingerprint
from training.comparison import Contender
from training.config import TrainingConfig
from training.data import SHA256, Examples, Mnist
from training.drawings import draw_digits, draw_no_digits
from training.errors import ArtefactError, BarMissed, GateClosed
from training.loop import HistoryPoint, run_training_loop
from training.networks import Network, build_affine, build_convnet, count_multiply_adds, count_parameters
from training.robustness import measure_robustness
from training.sources import Source, mix
from training.teacher import load_teacher
from training.versions import find_teacher, find_version, versions


@dataclass(frozen=True)
class Run:
    """What a run made: the network as taught, what to publish, and its card, which lacks what publishing adds."""

    network: Network
    servable: export.Servable
    card: dict[str, Any]


def train(  # noqa: PLR0913 (what a run is made of, and where it finds and keeps things)
    config: TrainingConfig,
    mnist: Mnist,
    on_progress: Callable[[int, HistoryPoint | None], None] = lambda _iteration, _point: None,
    also: Sequence[Source] = (),
    *,
    models: Path = Path("models"),
    kept_in: Path | None = None,
) -> Run:
    """Teach a network, calibrate it on the validation part and report on the test part; publishes nothing.

    It learns from what the sources in `also` have beside MNIST, but for what they hold back, and from the teacher that
    the configuration names, if it names one, which `models` must hold. How far it has come is kept in a file, if one
    is named, and the same run goes on from there.
    The same configuration on the same machine gives the same weights, bit for bit.
    Raises ArtefactError if the teacher is not there, or not what its card says.
    """
    distillation = config.distillation
    teacher = load_teacher(find_teacher(models, distillation.teacher), distillation) if distillation else None
    tf.config.experimental.enable_op_determinism()
    tf.keras.utils.set_random_seed(config.seed)
    network = build_affine() if config.model == "softmax" else build_convnet(config.seed)
    learnt = mix(with_drawings(mnist.train, config), also, config.also_share)
    made_with = {**software(), **(teacher.card["files"] if teacher else {})}
    shapes = [variable.shape.as_list() for variable in network.variables]
    checkpoint = Checkpoint(kept_in, fingerprint(config, learnt, made_with, shapes)) if kept_in else None
    history = run_training_loop(
        network, learnt, mnist.validation, config, on_progress, checkpoint=checkpoint, teacher=teacher
    )

    published = network.folded()
    logits, _ = export.answer(export.Servable(published, temperature=1.0).predict, mnist.validation.images)
    temperature = evaluate.fit_temperature(logits, mnist.validation.labels)
    servable = export.Servable(published, temperature)
    logits, probabilities = export.answer(servable.predict, mnist.validation.images)
    abstention = {
        "confidence": evaluate.choose_confidence(probabilities, config.abstained),
        "energy": evaluate.choose_energy(logits, config.abstained) if config.model == "convnet" else None,
    }
    card = {
        "name": config.model,
        "architecture": network.architecture,
        "parameters": count_parameters(network),
        "multiply_adds": count_multiply_adds(published),
        "training": config.as_json(),
        "data": {
            "name": "MNIST",
            "files": SHA256,
            "split": {"train": len(mnist.train), "validation": len(mnist.validation), "test": len(mnist.test)},
            **({"also": [source.as_json() for source in also]} if also else {}),
        },
        "history": [point.as_json() for point in history],
        "validation": evaluate.score(probabilities, mnist.validation.labels),
        "test": evaluate.report(*export.answer(servable.predict, mnist.test.images), mnist.test.labels, abstention),
        "temperature": temperature,
        "abstention": abstention,
        "preprocessing": imaging.PREPROCESSING_VERSION,
        "software": software(),
        "self_test": record_answers(servable),
    }
    if teacher:
        card["teacher"] = teacher.as_json()
    if config.bar_corrupted:
        card["corrupted"] = measure_robustness(partial(export.answer, servable.predict), mnist.test)
    return Run(network, servable, card)


def record_answers(servable: export.Servable) -> dict[str, Any]:
    """Record what a model makes of ten drawn digits, so that whoever serves it can tell whether it still does."""
    images = draw_digits(10, np.random.default_rng(0)).images
    _, probabilities = export.answer(servable.predict, images)
    return {
        "images": base64.b64encode(zlib.compress(images.tobytes(), level=9)).decode(),
        "probabilities": probabilities.astype(np.float64).round(6).tolist(),
    }


def software() -> dict[str, str]:
    """Name the versions that a run is made with."""
    return {
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "digitserve": imaging.__version__,
    }


def with_drawings(examples: Examples, config: TrainingConfig) -> Examples:
    """Add as many examples drawn in code as the configuration asks for."""
    rng = np.random.default_rng(config.seed)
    return examples + draw_digits(config.drawn_digits, rng) + draw_no_digits(config.drawn_no_digits, rng)


def publish(
    run: Run,
    models: Path,
    test: Examples,
    held_back: Examples | None = None,
    *,
    force: bool = False,
) -> Path | None:
    """Publish what a run made as the next version, and give its folder.

    Where a version is served already, the gate compares the two on the test part and on held-back feedback. None: the
    run gives the very answers of that version, so there is nothing to publish. With `force` it is published whatever
    the gate says, and the card keeps that.

    Raises BarMissed if it reads too few images right, forced or not, and GateClosed if the gate refuses it.
    """
    check_bar(run.card)
    served = newest(run.card["name"], models)
    if served is None:
        return export.publish(run.servable, run.card, models)
    decision = gate.decide(served, contend(run), test, held_back)
    if not force and decision.reproduced:
        return None
    if not force and decision.objections:
        msg = f"The gate refuses the candidate. Nothing was published; --force would.\n{decision}"
        raise GateClosed(msg)
    comparison = decision.as_json(served.card["version"], forced=force)
    return export.publish(run.servable, {**run.card, "comparison": comparison}, models)


def check_bar(card: dict[str, Any]) -> None:
    """Raise BarMissed if fewer test images are read right than the configuration asks for, as they are or corrupted."""
    bars, corrupted = card["training"], card.get("corrupted", {})
    reached = {"the test images": (card["test"]["accuracy"], bars["bar"])}
    if corrupted:
        reached["the corrupted test images"] = (float(np.mean(list(corrupted.values()))), bars["bar_corrupted"])
        worst = min(corrupted, key=corrupted.__getitem__)
        reached[f"those corrupted by {worst}"] = (corrupted[worst], bars["bar_each_corruption"])
    for images, (share, bar) in reached.items():
        if share < bar:
            msg = (
                f"{card['name']} reads {share:.2%} of {images} right, and {bar:.2%} is the least to be published. "
                "Nothing was published. Try the default configuration, or more iterations."
            )
            raise BarMissed(msg)


def contend(run: Run) -> Contender:
    """Enter what a run made for a comparison: saved and loaded as a published version is, or the times would differ."""
    with tempfile.TemporaryDirectory() as folder:
        export.save(run.servable, Path(folder))
        predict = export.load_signature(Path(folder))
    return Contender("the candidate", run.card, partial(export.answer, predict))


def enter(folder: Path) -> Contender:
    """Enter a published version for a comparison, or raise ArtefactError."""
    predict, card = export.load(folder)
    return Contender(f"{card['name']} {card['version']}", card, partial(export.answer, predict))


def newest(name: str, models: Path) -> Contender | None:
    """Enter the highest version of a model for a comparison, if there is one: it is what is served."""
    return enter(find_version(models, name)) if versions(models / name) else None


def check_newest(name: str, models: Path) -> None:
    """Raise ArtefactError if the highest version of a model, with which a run is to be compared, is broken."""
    if not versions(models / name):
        return
    try:
        export.read_card(find_version(models, name))
    except ArtefactError as error:
        msg = (
            f"A new version would be compared with the one that is served, which is broken. {error} "
            f"Or roll it back: python -m training rollback {name} --models {models}"
        )
        raise ArtefactError(msg) from error


def check(folder: Path, mnist: Mnist) -> tuple[dict[str, Any], list[str]]:
    """Recompute the report of an artefact; gives it, and the fields in which `model.json` says something else."""
    predict, card = export.load(folder)
    logits, probabilities = export.answer(predict, mnist.test.images)
    found = evaluate.report(logits, probabilities, mnist.test.labels, card["abstention"])
    said = {field: card["test"][field] for field in found if field in card["test"]}  # older cards have fewer fields
    return found, [field for field in said if not np.allclose(found[field], said[field], rtol=0, atol=1e-5)]
