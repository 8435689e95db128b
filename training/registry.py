"""The classifiers that can be trained: their names, recipes and networks. Imports no TensorFlow.

`docs/training.md` describes how another one is added.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from importlib import import_module
from typing import Any

from training.errors import RecipeError, UnknownModel
from training.recipes import CONVNET, CONVNET_LARGE, FINDER, LESSON_CONVNET, SOFTMAX, TrainingRecipe


@dataclass(frozen=True)
class Classifier:
    """A classifier that can be trained and published."""

    name: str
    """The name of its folder in `models/`."""
    title: str
    """Its name for people, such as on the page of the service."""
    builder: str
    """The function that builds the network of a recipe, as `module:function`.

    It is imported only when a network is built: TensorFlow takes seconds to import.
    """
    recipes: Mapping[str, TrainingRecipe]
    """The recipes by their names. The first is the default."""
    has_energy_threshold: bool = True
    """Whether it abstains by the energy of its logits. That of a linear model does not tell what is no digit."""

    @property
    def default_recipe(self) -> TrainingRecipe:
        """The recipe of the published versions."""
        return next(iter(self.recipes.values()))

    def find_recipe(self, name: str) -> TrainingRecipe:
        """Return the recipe with a name. Raises RecipeError if there is none."""
        if name not in self.recipes:
            msg = f"'{self.name}' has no recipe '{name}'. Its recipes: {', '.join(self.recipes)}."
            raise RecipeError(msg)
        return self.recipes[name]

    def build(self, recipe: TrainingRecipe) -> Any:  # noqa: ANN401 (TensorFlow has no types)
        """Build the network of a recipe: a `tf.Module` from images [B, 28, 28], ink 0 to 1, to logits [B, 10]."""
        module, _, function = self.builder.partition(":")
        build: Callable[[TrainingRecipe], Any] = getattr(import_module(module), function)
        return build(recipe)


_CLASSIFIERS: dict[str, Classifier] = {}


def register(classifier: Classifier) -> None:
    """Add a classifier. Raises RecipeError if its name is taken, or if a recipe has another name."""
    if classifier.name in (*_CLASSIFIERS, FINDER):
        msg = f"There is a model '{classifier.name}' already. Choose another name."
        raise RecipeError(msg)
    for recipe in classifier.recipes.values():
        if recipe.model != classifier.name:
            msg = f"A recipe of '{classifier.name}' has the model '{recipe.model}'. Expected the same name."
            raise RecipeError(msg)
    _CLASSIFIERS[classifier.name] = classifier


def list_classifiers() -> list[Classifier]:
    """List the registered classifiers, in the order of registration."""
    return list(_CLASSIFIERS.values())


def list_names() -> list[str]:
    """List the names of all models that can be trained: the classifiers and the finder."""
    return [*_CLASSIFIERS, FINDER]


def find_classifier(name: str) -> Classifier:
    """Return the classifier with a name. Raises UnknownModel if none is registered."""
    if name not in _CLASSIFIERS:
        msg = f"There is no classifier '{name}'. Classifiers: {', '.join(_CLASSIFIERS)}."
        raise UnknownModel(msg)
    return _CLASSIFIERS[name]


def order_by_teacher(recipes: Iterable[TrainingRecipe]) -> list[TrainingRecipe]:
    """Return the recipes, one for each model, in an order in which each teacher comes before those that it teaches."""
    by_model = {recipe.model: recipe for recipe in recipes}
    graph = {
        name: [recipe.distillation.teacher_model] if recipe.distillation else [] for name, recipe in by_model.items()
    }
    return [by_model[name] for name in TopologicalSorter(graph).static_order() if name in by_model]


register(
    Classifier(
        name="softmax",
        title="Softmax regression",
        builder="training.builders:build_softmax",
        recipes={"lesson": SOFTMAX},
        has_energy_threshold=False,
    )
)
register(
    Classifier(
        name="convnet-large",
        title="Large convolutional network",
        builder="training.builders:build_convnet",
        recipes={"augmented": CONVNET_LARGE},
    )
)
register(
    Classifier(
        name="convnet",
        title="Convolutional network",
        builder="training.builders:build_convnet",
        recipes={"distilled": CONVNET, "lesson": LESSON_CONVNET},
    )
)
