"""Measure what each addition to the lesson's convnet is worth: `python -m benchmarks.improvements`.

Trains each variant with several seeds, and adds the accuracies to docs/benchmarks/improvements.json after each run. A
run that the file has already is not repeated, so an interrupted measurement continues.
"""

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tensorflow as tf
import typer

from benchmarks.results import FOLDER
from training import loop, run
from training.batch_normalisation import FoldedConvolution, NormalisedConvolution
from training.data.mnist import Mnist, load_mnist
from training.distillation import load_teacher
from training.networks import Affine, Convnet, build_affine, build_convnet, draw_weights, max_pool
from training.publishing.published_versions import find_teacher
from training.recipes import (
    LESSON_CONVNET,
    SOFTMAX,
    AffineAugmentation,
    ConvolutionShape,
    Distillation,
    TrainingRecipe,
)

RESULTS = FOLDER / "improvements.json"
SHAPES = (ConvolutionShape(32, width=5), ConvolutionShape(64), ConvolutionShape(64), ConvolutionShape(128))
"""The convolutions of the lesson's convnet."""
POOLED = (True, False, True, False)
"""After which of them it has max-pooling."""


@dataclass(frozen=True)
class Variant:
    """A network and the recipe that it is trained with."""

    name: str
    recipe: TrainingRecipe
    build: Callable[[int], tf.Module]
    """From a seed to the network."""


class NormalisedConvnet(tf.Module):
    """The lesson's convnet with batch normalisation: [B, 28, 28] -> [B, 10]."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        channels = [1, *(shape.channels for shape in SHAPES)]
        self.convolutions = [
            NormalisedConvolution(shape, channels[index], seed + index) for index, shape in enumerate(SHAPES)
        ]
        self.dense = Affine(draw_weights([2 * 2 * 128, 10], seed + len(SHAPES)), tf.zeros([10]))

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """Return the logits, normalised by the statistics of the batch."""
        features = images[..., tf.newaxis]
        for convolution, pooled in zip(self.convolutions, POOLED, strict=True):
            features = convolution(features, training=True)
            features = max_pool(features) if pooled else features
        return self.dense(features)

    def for_inference(self) -> Convnet:
        """Return the network that normalises by the running averages, folded into its convolutions."""
        pairs = zip(self.convolutions, POOLED, strict=True)
        layers = [(convolution.fold_batch_norm(), *([max_pool] if pooled else [])) for convolution, pooled in pairs]
        return Convnet(sum(layers, ()), self.dense)


def build_strided_convnet(seed: int) -> Convnet:
    """Build a convnet that skips every second place in place of max-pooling."""
    shapes = (ConvolutionShape(32, width=5), ConvolutionShape(64, stride=2), ConvolutionShape(64, stride=2))
    kernels = [
        draw_weights(size, seed + index) for index, size in enumerate([(5, 5, 1, 32), (3, 3, 32, 64), (3, 3, 64, 64)])
    ]
    layers = [
        FoldedConvolution(shape, kernel, tf.zeros(shape.channels))
        for shape, kernel in zip(shapes, kernels, strict=True)
    ]
    return Convnet(layers, Affine(draw_weights([5 * 5 * 64, 10], seed + 3), tf.zeros([10])))


def list_variants() -> list[Variant]:
    """List the variants. From the lesson's convnet on, each has all that the one before has."""
    scheduled = replace(LESSON_CONVNET, warmup=200)
    augmented = replace(scheduled, augmentation=AffineAugmentation(rotation=10, scale=0.1, shear=0.2, shift=1.5))
    taught = replace(augmented, distillation=Distillation(teacher="convnet", temperature=2.0, share=1.0))
    longer = replace(taught, iterations=12_500)
    return [
        Variant("the affine map", SOFTMAX, lambda _seed: build_affine()),
        Variant("a convnet with strides", LESSON_CONVNET, build_strided_convnet),
        Variant("the convnet of the lesson", LESSON_CONVNET, build_convnet),
        Variant("+ batch normalisation", LESSON_CONVNET, NormalisedConvnet),
        Variant("+ a learning rate that falls to 0", scheduled, NormalisedConvnet),
        Variant("+ affine augmentation", augmented, NormalisedConvnet),
        Variant("+ a teacher", taught, NormalisedConvnet),
        Variant("+ 12,500 iterations", longer, NormalisedConvnet),
    ]


def measure(variant: Variant, seed: int, mnist: Mnist, models: Path) -> dict[str, Any]:
    """Train a variant with a seed, and measure its accuracy on the validation and the test part."""
    started = time.monotonic()
    recipe = replace(variant.recipe, seed=seed)
    distillation = recipe.distillation
    teacher = load_teacher(find_teacher(models, distillation.teacher), distillation) if distillation else None
    network = variant.build(seed)
    run.train_network(network, recipe, mnist.train, mnist.validation, teacher=teacher)
    trained = run.for_inference(network)
    return {
        "variant": variant.name,
        "seed": seed,
        "iterations": recipe.iterations,
        "validation": loop.evaluate(trained, mnist.validation),
        "test": loop.evaluate(trained, mnist.test),
        "seconds": round(time.monotonic() - started),
    }


def tabulate(runs: Sequence[dict[str, Any]]) -> list[str]:
    """Return the lines of a Markdown table: for each variant, the mean error over its seeds, the least and the most."""
    lines = ["| | iterations | seeds | validation error | test error |", "|---|---:|---:|---|---|"]
    for name in dict.fromkeys(each["variant"] for each in runs):
        rows = [each for each in runs if each["variant"] == name]
        cells = []
        for part in ("validation", "test"):
            errors = [100 * (1 - each[part]) for each in rows]
            spread = f" ({min(errors):.2f} to {max(errors):.2f})" if len(errors) > 1 else ""
            cells.append(f"{np.mean(errors):.2f} %{spread}")
        lines.append(f"| {name} | {rows[0]['iterations']:,} | {len(rows)} | {' | '.join(cells)} |")
    return lines


def main(
    names: Annotated[list[str] | None, typer.Argument(help="The variants. [all]")] = None,
    *,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds each variant is trained with.")] = 3,
    models: Annotated[Path, typer.Option(help="The folder that has the teacher.")] = Path("models"),
    out: Annotated[Path, typer.Option(help="The file of the results.")] = RESULTS,
) -> None:
    """Train each variant with each seed, unless the file of the results has the run. Print a table."""
    tf.config.experimental.enable_op_determinism()
    folder = os.environ.get("MNIST_DIR")
    mnist = load_mnist(Path(folder) if folder else None)
    runs: list[dict[str, Any]] = json.loads(out.read_text()) if out.exists() else []
    order = [variant.name for variant in list_variants()]
    for seed in range(1, seeds + 1):
        for variant in list_variants():
            known = any((each["variant"], each["seed"]) == (variant.name, seed) for each in runs)
            if known or (names and variant.name not in names):
                continue
            runs.append(measure(variant, seed, mnist, models))
            runs.sort(key=lambda each: (order.index(each["variant"]), each["seed"]))
            out.write_text(json.dumps(runs, indent=1) + "\n")
            print(runs[-1]["variant"], flush=True)
    print("\n".join(tabulate(runs)))


if __name__ == "__main__":
    typer.run(main)
