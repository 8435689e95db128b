import pytest

from training.batch_normalisation import build_normalised_convnet
from training.networks import build_affine, build_convnet
from training.recipes import ConvolutionShape
from training.summary import count_multiply_adds, count_parameters, describe_layers

pytestmark = pytest.mark.slow

SMALL = (ConvolutionShape(4, stride=2), ConvolutionShape(8, width=5, padding="SAME"))


def test_multiply_adds_and_parameters_are_counted() -> None:
    network = build_normalised_convnet(SMALL, seed=1).for_inference()
    first, second, dense = 13 * 13 * 4 * 9, 13 * 13 * 8 * 25 * 4, 13 * 13 * 8 * 10
    assert count_multiply_adds(network) == first + second + dense
    assert count_multiply_adds(build_affine()) == 7840
    last = 2 * 2 * 9 * 64 * 128 + 2 * 2 * 128 * 10  # max-pooling multiplies by no weights
    assert count_multiply_adds(build_convnet(seed=1)) == 64 * (576 * 25 // 2 + 100 * 9 * 32 + 64 * 9 * 64) + last
    assert count_parameters(build_affine()) == 7850
    assert count_parameters(network) == (9 + 1) * 4 + (25 * 4 + 1) * 8 + 13 * 13 * 8 * 10 + 10


def test_the_layers_are_described_in_order() -> None:
    assert describe_layers(build_affine()) == "dense 10"
    folded = build_normalised_convnet(SMALL, seed=1).for_inference()
    assert describe_layers(folded) == "conv 3x3x4/2 - conv 5x5x8 - dense 10"
    assert describe_layers(build_convnet(seed=1)).startswith("conv 5x5x32 - max-pool 2x2 - conv 3x3x64 - conv 3x3x64")
