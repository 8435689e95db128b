"""Time PyTorch on the CPU on one specification: the same network and batch size, the images as a tensor in memory."""  # noqa: INP001 - a program

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn


def main() -> None:
    """Load the specification named by the first argument, and print the microseconds of a step in each stretch."""
    spec = json.loads(Path(sys.argv[1]).read_text())
    torch.manual_seed(0)
    with np.load(spec["data"]) as data:
        images = torch.from_numpy(data["images"][:, np.newaxis].astype(np.float32) / 255)
        labels = torch.from_numpy(data["labels"].astype(np.int64))
    network = nn.Sequential(*convolutions(spec), nn.Flatten())
    features = network(images[:2]).shape[1]  # batch normalisation of one pixel needs two images
    network.append(nn.Linear(features, 10))
    optimizer = torch.optim.SGD if spec["optimizer"] == "sgd" else torch.optim.RMSprop
    optimizer = optimizer(network.parameters(), lr=spec["learning_rate"])

    def take_step(batch: torch.Tensor) -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(images[batch]), labels[batch]).backward()
        optimizer.step()

    times = []
    for _ in range(spec["stretches"] + 1):  # the first stretch is for warm-up
        started = time.perf_counter()
        for batch in draw_batches(len(labels), spec["batch_size"], spec["steps"]):
            take_step(batch)
        times.append((time.perf_counter() - started) / spec["steps"] * 1e6)
    print(json.dumps(times[1:]))


def convolutions(spec: dict[str, Any]) -> list[nn.Module]:
    """Build the convolutions, each with batch normalisation and ReLU."""
    layers: list[nn.Module] = []
    channels_in = 1
    for shape in spec["convolutions"]:
        padding = shape["width"] // 2 if shape["padding"] == "SAME" else 0
        layers += [
            nn.Conv2d(channels_in, shape["channels"], shape["width"], shape["stride"], padding, bias=False),
            nn.BatchNorm2d(shape["channels"], eps=1e-3),
            nn.ReLU(),
        ]
        channels_in = shape["channels"]
    return layers


def draw_batches(examples: int, batch_size: int, steps: int) -> tuple[torch.Tensor, ...]:
    """Return batches from as many shuffled epochs as they need."""
    epochs = -(-steps * batch_size // examples)
    order = torch.cat([torch.randperm(examples) for _ in range(epochs)])
    return order[: steps * batch_size].split(batch_size)


if __name__ == "__main__":
    main()
