from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from training.optimizers import GradientDescent, build_optimizer
from training.recipes import CONVNET, SOFTMAX

pytestmark = pytest.mark.slow


def test_the_learning_rate_rises_in_the_warm_up_and_then_follows_a_cosine() -> None:
    learning_rate = build_optimizer(CONVNET, [tf.Variable([1.0])])._learning_rate
    assert float(learning_rate(CONVNET.warmup)) == pytest.approx(CONVNET.learning_rate, rel=0.02)
    assert float(learning_rate(CONVNET.warmup // 2)) == pytest.approx(CONVNET.learning_rate / 2, rel=0.02)
    assert float(learning_rate(CONVNET.iterations)) == pytest.approx(0, abs=1e-8)


def test_gradient_descent_equals_that_of_keras() -> None:
    gradients = [tf.constant([[0.3, -0.1], [2.0, 0.7]]), tf.constant([0.1, -5.0])]
    ours, keras = ([tf.Variable(tf.ones_like(gradient)) for gradient in gradients] for _ in range(2))
    optimizer = build_optimizer(SOFTMAX, ours)
    assert isinstance(optimizer, GradientDescent)
    reference = tf.keras.optimizers.SGD(SOFTMAX.learning_rate)
    for _ in range(3):
        optimizer.apply(gradients, ours)
        reference.apply_gradients(zip(gradients, keras, strict=True))
    for left, right in zip(ours, keras, strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("change", [{"momentum": 0.9}, {"warmup": 10}])
def test_momentum_and_a_warm_up_use_a_keras_optimizer(change: dict[str, float]) -> None:
    optimizer = build_optimizer(replace(SOFTMAX, **change), [tf.Variable([1.0])])
    assert isinstance(optimizer, tf.keras.optimizers.SGD)
    assert optimizer.variables
