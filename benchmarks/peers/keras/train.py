"""Time Keras' `fit` on one specification: the same network and batch size, the images as arrays in memory."""  # noqa: INP001 - a program

import json
import sys
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np


def main() -> None:
    """Load the specification named by the first argument, and print the microseconds of a step in each stretch."""
    spec = json.loads(Path(sys.argv[1]).read_text())
    count = spec["steps"] * spec["batch_size"]  # the examples of an epoch with exactly these steps
    with np.load(spec["data"]) as data:
        images = data["images"][:count, ..., np.newaxis].astype(np.float32) / 255
        labels = data["labels"][:count]
    model = keras.Sequential([keras.Input((28, 28, 1)), *convolutions(spec), keras.layers.Flatten()])
    model.add(keras.layers.Dense(10))
    optimizer = keras.optimizers.SGD if spec["optimizer"] == "sgd" else keras.optimizers.RMSprop
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer(spec["learning_rate"]), loss)

    timer = EpochTimer()
    epochs = spec["stretches"] + 1  # the first epoch compiles the step
    model.fit(images, labels, batch_size=spec["batch_size"], epochs=epochs, callbacks=[timer], verbose=0)
    print(json.dumps([seconds / spec["steps"] * 1e6 for seconds in timer.seconds[1:]]))


def convolutions(spec: dict[str, Any]) -> list[keras.Layer]:
    """Build the convolutions, each with batch normalisation and ReLU."""
    layers: list[keras.Layer] = []
    for shape in spec["convolutions"]:
        layers += [
            keras.layers.Conv2D(
                shape["channels"], shape["width"], shape["stride"], shape["padding"].lower(), use_bias=False
            ),
            keras.layers.BatchNormalization(momentum=0.9),
            keras.layers.ReLU(),
        ]
    return layers


class EpochTimer(keras.callbacks.Callback):
    """Measures the time of each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self._started = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002 - Keras' own
        """Store the current time."""
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002 - Keras' own
        """Store the time of the epoch."""
        self.seconds.append(time.perf_counter() - self._started)


if __name__ == "__main__":
    main()
