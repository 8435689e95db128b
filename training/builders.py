"""Builds the networks of the registered classifiers from their recipes."""

from training.batch_normalisation import NormalisedConvnet, build_normalised_convnet
from training.networks import Affine, Convnet, build_affine
from training.networks import build_convnet as build_plain_convnet
from training.recipes import TrainingRecipe


def build_softmax(_recipe: TrainingRecipe) -> Affine:
    """Build the softmax regression."""
    return build_affine()


def build_convnet(recipe: TrainingRecipe) -> NormalisedConvnet | Convnet:
    """Build the convolutions of the recipe, with batch normalisation. A recipe without any has those of the lesson."""
    if recipe.convolutions:
        return build_normalised_convnet(recipe.convolutions, recipe.seed)
    return build_plain_convnet(recipe.seed)
