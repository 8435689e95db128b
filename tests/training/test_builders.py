import pytest

from training.batch_normalisation import NormalisedConvnet
from training.builders import build_convnet, build_softmax
from training.networks import Affine, Convnet
from training.recipes import CONVNET, LESSON_CONVNET, SOFTMAX

pytestmark = pytest.mark.slow


def test_the_recipe_decides_which_network_is_built() -> None:
    assert isinstance(build_softmax(SOFTMAX), Affine)
    assert isinstance(build_convnet(LESSON_CONVNET), Convnet)
    network = build_convnet(CONVNET)
    assert isinstance(network, NormalisedConvnet)
    assert [convolution.shape for convolution in network.convolutions] == [*CONVNET.convolutions]
