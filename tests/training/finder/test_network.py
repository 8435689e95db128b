import numpy as np
import pytest
import tensorflow as tf

from training.finder.network import build_finder

pytestmark = pytest.mark.slow

SMALL = (4, 6, 8, 8, 8)


def noise(count: int, seed: int = 1) -> tf.Tensor:
    return tf.random.stateless_uniform([count, 64, 96, 3], seed=[seed, 2])


def test_the_maps_have_half_the_size_of_the_pages() -> None:
    assert build_finder(1, SMALL)(noise(2)).shape == (2, 32, 48, 2)


def test_the_seed_determines_the_weights() -> None:
    maps = [build_finder(seed, SMALL)(noise(1)).numpy() for seed in (1, 1, 2)]
    np.testing.assert_array_equal(maps[0], maps[1])
    assert not np.allclose(maps[0], maps[2])


def test_folded_batch_normalisation_gives_the_same_maps() -> None:
    network = build_finder(1, SMALL)
    rng = np.random.default_rng(0)
    for variable in network.variables:  # as after some training
        if variable.name.split(":")[0] in {"scale", "offset", "mean", "variance"}:
            variable.assign_add(rng.uniform(0.1, 0.5, variable.shape))
    before = network(noise(2)).numpy()
    folded = network.for_inference()
    assert len(folded.variables) < len(network.variables)
    np.testing.assert_allclose(folded(noise(2)), before, rtol=1e-3, atol=1e-4)
    assert not np.allclose(before, build_finder(1, SMALL)(noise(2)), atol=1e-2)


def test_training_uses_the_statistics_of_the_batch_and_keeps_their_averages() -> None:
    network = build_finder(1, SMALL)
    before = network(noise(2)).numpy()
    assert not np.allclose(network(noise(2), training=True), before, atol=1e-3)
    assert not np.allclose(network(noise(2)), before, atol=1e-6)


def test_an_untrained_finder_finds_little() -> None:
    assert tf.reduce_mean(tf.sigmoid(build_finder(1)(noise(1)))) < 0.4


def test_a_change_in_one_corner_reaches_far() -> None:
    network = build_finder(1, SMALL)
    pictures = noise(1).numpy()
    before = network(pictures).numpy()
    pictures[:, :8, :8] = 0
    changed = np.abs(network(pictures) - before).max(axis=(0, 3))
    assert changed[0, 0] > changed[-1, -1]
    assert (changed[:, 20] > 0).any()  # 40 pixels away: not seen by the first levels


def test_the_architecture_names_the_channels() -> None:
    assert build_finder(1, SMALL).architecture == "U-Net 4-6-8-8-8, 2 maps"
