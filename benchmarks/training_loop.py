"""Time this project's training loop on one specification. `benchmarks.training` starts it as a process of its own."""

import json
import sys
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import tensorflow as tf

from training.batch_preparation import prepare_batches
from training.data.examples import Examples
from training.loop import compile_step, draw_batches, train
from training.optimizers import build_optimizer
from training.registry import find_classifier


def main() -> None:
    """Load the specification named by the first argument, and print the microseconds of a step in each stretch."""
    spec = json.loads(Path(sys.argv[1]).read_text())
    tf.config.experimental.enable_op_determinism()  # as a run of the training program does
    tf.keras.utils.set_random_seed(0)
    with np.load(spec["data"]) as data:
        examples = Examples(data["images"], data["labels"])
    classifier = find_classifier(spec["model"])
    recipe = replace(classifier.default_recipe, batch_size=spec["batch_size"])
    if not spec["augmented"]:
        recipe = replace(recipe, augmentation=None, strong_augmentation=None)
    network = classifier.build(recipe)
    step = compile_step(network, build_optimizer(recipe, network.trainable_variables))
    # Without a teacher, as the other programs train.
    batches = prepare_batches(draw_batches(examples, recipe.batch_size, recipe.seed), recipe)

    times = []
    for _ in range(spec["stretches"] + 1):  # the first stretch compiles the step
        started = time.perf_counter()
        train(step, islice(batches, spec["steps"]))
        times.append((time.perf_counter() - started) / spec["steps"] * 1e6)
    print(json.dumps(times[1:]))


if __name__ == "__main__":
    main()
