"""Time this project's training loop on one specification. `benchmarks.training` starts it as a process of its own."""

import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import tensorflow as tf

from training.batch_preparation import build_batch_preparation, build_loss
from training.data.examples import Examples
from training.loop import STEPS_PER_CALL, compile_steps, draw_batches
from training.networks import build_affine, build_convnet
from training.optimizers import build_optimizer
from training.recipes import DEFAULTS


def main() -> None:
    """Load the specification named by the first argument, and print the microseconds of a step in each stretch."""
    spec = json.loads(Path(sys.argv[1]).read_text())
    tf.config.experimental.enable_op_determinism()  # as a run of the training program does
    tf.keras.utils.set_random_seed(0)
    with np.load(spec["data"]) as data:
        train = Examples(data["images"], data["labels"])
    recipe = DEFAULTS[spec["model"]]
    if not spec["augmented"]:
        recipe = replace(recipe, augmentation=None, strong_augmentation=None)
    network = build_affine() if spec["model"] == "softmax" else build_convnet(recipe.seed)
    optimizer = build_optimizer(recipe, network.trainable_variables)
    # Without a teacher, as the other programs train.
    take_steps = compile_steps(network, optimizer, train, recipe, build_batch_preparation(recipe), build_loss(recipe))

    steps_per_call = STEPS_PER_CALL[recipe.model]
    times = []
    for stretch in range(spec["stretches"] + 1):  # the first stretch compiles the step
        started = time.perf_counter()
        first = stretch * spec["steps"]
        batches = draw_batches(len(train), recipe.batch_size, first, spec["steps"], recipe.seed)
        for step in range(0, spec["steps"], steps_per_call):
            float(take_steps(batches[step : step + steps_per_call], tf.constant(first + step)))
        times.append((time.perf_counter() - started) / spec["steps"] * 1e6)
    print(json.dumps(times[1:]))


if __name__ == "__main__":
    main()
