"""Time this project's training loop on one specification. `benchmarks.training` starts it as a process of its own."""

import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import tensorflow as tf

from training.config import DEFAULTS
from training.data import Examples
from training.loop import STEPS_PER_CALL, compile_steps, draw_batches
from training.networks import build_affine, build_convnet
from training.optimizers import build_optimizer


def main() -> None:
    """Load the specification named by the first argument, and print the microseconds of a step in each stretch."""
    spec = json.loads(Path(sys.argv[1]).read_text())
    tf.config.experimental.enable_op_determinism()  # as a run of the training program does
    tf.keras.utils.set_random_seed(0)
    with np.load(spec["data"]) as data:
        train = Examples(data["images"], data["labels"])
    config = DEFAULTS[spec["model"]]
    if not spec["augmented"]:
        config = replace(config, augmentation=None, disturbance=None)
    network = build_affine() if spec["model"] == "softmax" else build_convnet(config.seed)
    optimizer = build_optimizer(config, network.trainable_variables)
    take_steps = compile_steps(network, optimizer, train, config)  # without distillation, like the other programs

    steps_per_call = STEPS_PER_CALL[config.model]
    times = []
    for stretch in range(spec["stretches"] + 1):  # the first stretch compiles the step
        started = time.perf_counter()
        first = stretch * spec["steps"]
        batches = draw_batches(len(train), config.batch_size, first, spec["steps"], config.seed)
        for step in range(0, spec["steps"], steps_per_call):
            float(take_steps(batches[step : step + steps_per_call], tf.constant(first + step)))
        times.append((time.perf_counter() - started) / spec["steps"] * 1e6)
    print(json.dumps(times[1:]))


if __name__ == "__main__":
    main()
