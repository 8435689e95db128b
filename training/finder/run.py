"""A training run of the finder from digits to a published version, and the verification of a published version.

Knows nothing of the command line.
"""

import base64
import tempfile
import zlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from training.data.mnist import SHA256, Mnist
from training.data.pages import Pages
from training.data.pages.page import PAGE_SIDE
from training.data.synthetic_examples import generate_digits
from training.errors import BelowThreshold, CandidateRejected
from training.evaluation.comparison import comparison_table
from training.finder import comparison, export
from training.finder.comparison import ComparedFinder
from training.finder.loop import train_finder
from training.finder.network import build_finder
from training.finder.page_generation import generate_batches, generate_pages
from training.finder.recipe import DEFAULT_FINDER, TEST_SEED, VALIDATION_SEED, FinderRecipe
from training.finder.report import choose_thresholds, page_report
from training.progress import OnProgress, OnStage
from training.publishing import export as publishing
from training.publishing.checkpoints import Checkpoint, fingerprint
from training.publishing.published_versions import find_version, list_versions
from training.recipes import FINDER
from training.summary import count_multiply_adds, count_parameters

TASK = "find_digits"
"""The field `task` of the model card. The card of a classifier has no such field."""


@dataclass(frozen=True)
class FinderRun:
    """The result of a training run: the model to publish, its model card, and the test pages.

    The card lacks the fields that publishing adds.
    """

    servable: export.ServableFinder
    card: dict[str, Any]
    test: Pages


def train(
    recipe: FinderRecipe,
    mnist: Mnist,
    on_progress: OnProgress = lambda _iteration, _point: None,
    *,
    checkpoint_path: Path | None = None,
    on_stage: OnStage = lambda _stage: None,
) -> FinderRun:
    """Train a finder, choose its thresholds on validation pages and evaluate it on test pages. Publishes nothing.

    The same recipe and digits on the same machine give the same weights, bit for bit.

    Args:
        recipe: The recipe.
        mnist: The digits. Each part is drawn on pages of its own.
        on_progress: Called with the number of completed iterations and the latest point of the training curves.
        checkpoint_path: The file for the progress of the run. If it holds the progress of the same run, the run
            continues from there.
        on_stage: Called with what the run does besides training, before each part of it.

    """
    tf.config.experimental.enable_op_determinism()
    tf.keras.utils.set_random_seed(recipe.seed)
    network = build_finder(recipe.seed)
    checkpoint = _open_checkpoint(checkpoint_path, recipe, mnist, network) if checkpoint_path else None
    progress = checkpoint.load() if checkpoint else None
    remaining = range(progress.iteration if progress else 0, recipe.iterations)
    on_stage("drawing the validation pages")
    validation = generate_pages(mnist.validation, VALIDATION_SEED, recipe.validation_pages)
    with generate_batches(mnist.train, recipe.seed, recipe.batch_size, remaining) as batches:
        history = train_finder(network, recipe, batches, validation, on_progress, checkpoint)

    published = network.for_inference()
    servable = export.ServableFinder(published)
    find = partial(export.find_in_batches, servable.find)
    maps = find(validation.pictures)
    thresholds = choose_thresholds(*maps, validation)
    on_stage("drawing the test pages")
    test = generate_pages(mnist.test, TEST_SEED, recipe.test_pages)
    on_stage("evaluating on the test pages")
    card = {
        "task": TASK,
        "name": FINDER,
        "architecture": network.architecture,
        "parameters": count_parameters(network),
        "multiply_adds": count_multiply_adds(published, (PAGE_SIDE, PAGE_SIDE, 3)),
        "training": recipe.as_json(),
        "data": {
            "name": "MNIST",
            "files": SHA256,
            "split": {"train": len(mnist.train), "validation": len(mnist.validation), "test": len(mnist.test)},
        },
        "history": [point.as_json("ink_f1") for point in history],
        "validation": page_report(*maps, validation, thresholds),
        "test": page_report(*find(test.pictures), test, thresholds),
        "thresholds": thresholds,
        "software": publishing.software_versions(),
        "self_test": record_self_test(servable),
    }
    return FinderRun(servable, card, test)


def _open_checkpoint(path: Path, recipe: FinderRecipe, mnist: Mnist, network: tf.Module) -> Checkpoint:
    shapes = [variable.shape.as_list() for variable in network.variables]
    return Checkpoint(path, fingerprint(recipe, mnist.train, publishing.software_versions(), shapes))


def record_self_test(servable: export.ServableFinder) -> dict[str, str]:
    """Record the maps of one page. A service compares them with those of the loaded model."""
    pictures = draw_self_test_page()[np.newaxis]
    ink, cores = export.find_in_batches(servable.find, pictures)
    return {"pictures": _encode(pictures), "ink": _encode(_as_bytes(ink)), "cores": _encode(_as_bytes(cores))}


def draw_self_test_page() -> npt.NDArray[np.uint8]:
    """Draw three synthetic digits on plain paper, (192, 192, 3): a page that compresses well in the model card."""
    ink = np.zeros((PAGE_SIDE, PAGE_SIDE), np.uint8)
    for index, digit in enumerate(generate_digits(3, np.random.default_rng(0)).images):
        large = digit.repeat(2, axis=0).repeat(2, axis=1)  # [56, 56]
        ink[68:124, 8 + 60 * index : 64 + 60 * index] = large
    grey = (240 - ink * (200 / 255)).astype(np.uint8)
    return np.repeat(grey[..., np.newaxis], 3, axis=2)


def _as_bytes(probabilities: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    return np.rint(255 * probabilities).astype(np.uint8)


def _encode(array: npt.NDArray[np.uint8]) -> str:
    return base64.b64encode(zlib.compress(array.tobytes(), level=9)).decode()


def publish(
    run: FinderRun, models: Path, *, force: bool = False, on_stage: OnStage = lambda _stage: None
) -> Path | None:
    """Publish the result of a run as the next version, and return its folder.

    If a version is served already, both are compared on the test pages. With `force`, the candidate is published
    whatever the comparison says, and its card records that. `on_stage` is called before the comparison, with what is
    done.

    Returns:
        The folder, or None if the run reproduced the served version.

    Raises BelowThreshold, even with `force`, if a measure is below its threshold, and CandidateRejected if the
    candidate is no better than the served version, or worse.

    """
    check_thresholds(run.card)
    served = load_served_version(models)
    if served is None:
        return export.publish(run.servable, run.card, models)
    on_stage(f"comparing with {served.title}")
    decision = comparison.decide(served, load_candidate(run), run.test)
    if not force and decision.reproduced:
        return None
    if not force and decision.objections:
        msg = f"The promotion gate rejects the candidate. Nothing was published. --force publishes it.\n{decision}"
        raise CandidateRejected(msg)
    compared = decision.as_json(served.card["version"], forced=force)
    return export.publish(run.servable, {**run.card, "comparison": compared}, models)


def check_thresholds(card: dict[str, Any]) -> None:
    """Raise BelowThreshold if a measure on the test pages is below the threshold of the recipe."""
    names = {"ink_f1": "F1 score of the ink", "recall": "recall of the digits", "precision": "precision of the finds"}
    for field, name in names.items():
        value, threshold = card["test"][field], card["training"][f"{field}_threshold"]
        if value < threshold:
            msg = (
                f"The {name} on the test pages is {value:.2%}; expected at least {threshold:.2%}. "
                "Nothing was published. Try the default recipe, or more pages."
            )
            raise BelowThreshold(msg)


def load_candidate(run: FinderRun) -> ComparedFinder:
    """Prepare the result of a run for a comparison: saved and loaded like a published version, which is as fast."""
    with tempfile.TemporaryDirectory() as folder:
        export.save(run.servable, Path(folder))
        signature = publishing.load_signature(Path(folder))
    return ComparedFinder("the candidate", run.card, partial(export.find_in_batches, signature))


def load_version(folder: Path) -> ComparedFinder:
    """Load a published version for a comparison. Raises ArtefactError if it does not match its model card."""
    signature, card = publishing.load(folder)
    return ComparedFinder(f"{card['name']} {card['version']}", card, partial(export.find_in_batches, signature))


def load_served_version(models: Path) -> ComparedFinder | None:
    """Load the served version, the highest one, for a comparison. Return None if there is no version."""
    return load_version(find_version(models, FINDER)) if list_versions(models / FINDER) else None


def compare_versions(before: Path, after: Path, mnist: Mnist) -> list[str]:
    """Compare two published versions on the test pages. Return the lines of a Markdown table."""
    baseline, candidate = (load_version(folder) for folder in (before, after))
    pages = generate_pages(mnist.test, TEST_SEED, DEFAULT_FINDER.test_pages)
    measures = comparison.compare(baseline, candidate, pages)
    return comparison_table(baseline.title, candidate.title, measures)


def verify_report(folder: Path, mnist: Mnist) -> tuple[dict[str, Any], list[str]]:
    """Recompute the test report of an artefact. Return it, and the names of the fields that differ in `model.json`."""
    finder = load_version(folder)
    recorded = finder.card["test"]
    pages = generate_pages(mnist.test, TEST_SEED, recorded["pages"])
    report = page_report(*finder.find(pages.pictures), pages, finder.card["thresholds"])
    return report, [field for field in report if not np.isclose(report[field], recorded[field], rtol=0, atol=1e-5)]
