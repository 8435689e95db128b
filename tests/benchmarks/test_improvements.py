import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training.data.examples import Examples
from training.data.mnist import Mnist

pytestmark = pytest.mark.slow

RUNS = [
    {"variant": "plain", "seed": 1, "iterations": 5_001, "validation": 0.99, "test": 0.992},
    {"variant": "plain", "seed": 2, "iterations": 5_001, "validation": 0.98, "test": 0.99},
    {"variant": "+ more", "seed": 1, "iterations": 10_002, "validation": 1.0, "test": 0.995},
]


@pytest.fixture
def noise() -> Mnist:
    random = np.random.default_rng(0)
    examples = Examples(random.integers(0, 256, (200, 28, 28), np.uint8), random.integers(0, 10, 200).astype(np.int32))
    return Mnist(examples, examples[:100], examples[100:])


def test_the_table_has_the_mean_and_the_spread_of_each_variant() -> None:
    from benchmarks.improvements import tabulate  # noqa: PLC0415 - it imports TensorFlow

    assert tabulate(RUNS)[2:] == [
        "| plain | 5,001 | 2 | 1.50 % (1.00 to 2.00) | 0.90 % (0.80 to 1.00) |",
        "| + more | 10,002 | 1 | 0.00 % | 0.50 % |",
    ]


def test_batch_normalisation_is_added_to_the_convnet_of_the_lesson() -> None:
    from benchmarks.improvements import NormalisedConvnet  # noqa: PLC0415
    from training.networks import build_convnet  # noqa: PLC0415
    from training.summary import describe_layers  # noqa: PLC0415

    network = NormalisedConvnet(seed=1)
    assert describe_layers(network.for_inference()) == describe_layers(build_convnet(seed=1))


def test_a_run_that_the_file_has_is_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, noise: Mnist, capsys: pytest.CaptureFixture[str]
) -> None:
    from benchmarks import improvements  # noqa: PLC0415

    affine, *others = improvements.list_variants()
    quick = [replace(variant, recipe=replace(variant.recipe, iterations=2)) for variant in (affine, others[1])]
    monkeypatch.setattr(improvements, "list_variants", lambda: quick)
    monkeypatch.setattr(improvements, "load_mnist", lambda _folder: noise)
    out = tmp_path / "improvements.json"
    known = {"variant": affine.name, "seed": 1, "iterations": 2, "validation": 0.5, "test": 0.25}
    out.write_text(json.dumps([known]))
    improvements.main(seeds=1, out=out)
    first, second = json.loads(out.read_text())
    assert first == known
    assert second["variant"] == "the convnet of the lesson"
    assert "| the affine map | 2 | 1 | 50.00 % | 75.00 %" in capsys.readouterr().out
