from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from training.data.pages import Pages
from training.finder.loop import finder_loss, learning_rate, train_finder
from training.finder.network import FinderNetwork, build_finder
from training.finder.recipe import FinderRecipe
from training.publishing.checkpoints import Checkpoint

pytestmark = pytest.mark.slow

RECIPE = FinderRecipe(pages=120, batch_size=4, warmup=5, learning_rate=0.01, validation_pages=4)


def draw_squares(count: int, seed: int) -> Pages:
    """Draw pages of 64x64 pixels with one dark square each, which is the ink and the core."""
    rng = np.random.default_rng(seed)
    pictures, ink = np.full((count, 64, 64, 3), 220, np.uint8), np.zeros((count, 32, 32), np.uint8)
    for picture, map_, (left, top) in zip(pictures, ink, rng.integers(0, 20, (count, 2)), strict=True):
        picture[2 * top : 2 * top + 24, 2 * left : 2 * left + 24] = 20
        map_[top : top + 12, left : left + 12] = 255
    return Pages(pictures, ink, ink, np.ones(count, np.int32))


def batches(first: int = 0) -> Iterator[Pages]:
    while True:
        yield draw_squares(RECIPE.batch_size, seed=first)
        first += 1


def small_finder() -> FinderNetwork:
    return build_finder(1, (4, 6))


def test_the_learning_rate_rises_and_then_falls_to_nothing() -> None:
    recipe = FinderRecipe(pages=1600, batch_size=16, warmup=10, learning_rate=0.02)
    rates = [learning_rate(recipe, iteration) for iteration in range(1, 101)]
    assert rates[0] == pytest.approx(0.002, rel=0.01)
    assert np.argmax(rates) == 9
    assert rates[9] == pytest.approx(0.02, rel=0.03)
    assert (np.diff(rates[:10]) > 0).all()
    assert (np.diff(rates[9:]) < 0).all()
    assert rates[49] == pytest.approx(0.01)
    assert rates[-1] == pytest.approx(0, abs=1e-9)
    assert learning_rate(replace(recipe, warmup=0), 1) == pytest.approx(0.02, rel=0.01)


def loss_of(probabilities: np.ndarray, targets: np.ndarray) -> float:
    logits = np.log(probabilities / (1 - probabilities)).astype(np.float32)
    return float(finder_loss(tf.constant(logits), tf.constant(targets.astype(np.float32))))


def test_the_loss_falls_for_better_maps() -> None:
    targets = np.zeros((1, 32, 32, 2))
    targets[:, 10:20, 10:16] = 1
    losses = [loss_of(np.clip(share * targets + (1 - share) * 0.5, 0.01, 0.99), targets) for share in (0, 0.3, 0.6, 1)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.2 * losses[0]
    shifted = np.clip(np.roll(targets, 4, axis=2), 0.01, 0.99)
    assert losses[-1] < loss_of(shifted, targets)


def test_pages_without_a_digit_have_a_loss_that_falls_as_well() -> None:
    nothing = np.zeros((1, 32, 32, 2))
    assert loss_of(np.full_like(nothing, 0.01), nothing) < loss_of(np.full_like(nothing, 0.2), nothing) < np.inf


def test_training_lowers_the_loss_and_a_stopped_run_continues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.finder.loop.VALIDATION_INTERVAL", 15)
    validation = draw_squares(4, seed=999)
    reported: list[int] = []
    whole, stopped, continued = small_finder(), small_finder(), small_finder()
    history = train_finder(whole, RECIPE, batches(), validation, lambda iteration, _: reported.append(iteration))
    assert reported == list(range(1, 31))
    assert [point.iteration for point in history] == [15, 30]
    assert history[1].loss < 0.9 * history[0].loss

    def stop(iteration: int, _: object) -> None:
        if iteration == 20:
            raise KeyboardInterrupt

    checkpoint = Checkpoint(tmp_path / "checkpoint.npz", "this run")
    with pytest.raises(KeyboardInterrupt):
        train_finder(stopped, RECIPE, batches(), validation, stop, checkpoint)
    same = train_finder(continued, RECIPE, batches(15), validation, checkpoint=checkpoint)
    assert [point.iteration for point in same] == [15, 30]
    assert same[1].loss == pytest.approx(history[1].loss, rel=0.02)
    for variable, expected in zip(continued.variables, whole.variables, strict=True):
        np.testing.assert_allclose(variable, expected, atol=0.02)
