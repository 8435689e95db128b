"""The recipes of the classifiers: every setting of a training run. Knows no data and no network."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from training.errors import RecipeError

FINDER = "finder"
"""The page finder. Its recipe is in `training/finder/recipe.py`."""

JSON_NAMES = {
    "accuracy_threshold": "bar",
    "corrupted_accuracy_threshold": "bar_corrupted",
    "worst_corruption_threshold": "bar_each_corruption",
    "strong_augmentation": "disturbance",
    "affine": "movement",
    "probability": "chance",
    "synthetic_digits": "drawn_digits",
    "synthetic_non_digits": "drawn_no_digits",
    "source_share": "also_share",
}
"""The fields whose names in `model.json` are older than their names here."""


@dataclass(frozen=True)
class ConvolutionShape:
    """The hyperparameters of a convolution with a square kernel and batch normalisation."""

    channels: int
    """The output channels."""
    width: int = 3
    """The width of the kernel."""
    stride: int = 1
    padding: Literal["VALID", "SAME"] = "VALID"


@dataclass(frozen=True)
class AffineAugmentation:
    """The largest random affine transformation of a training image, drawn uniformly from minus to plus each amount."""

    rotation: float
    """In degrees."""
    scale: float
    """The natural logarithm of the factor, drawn separately for width and height."""
    shear: float
    """In pixels of width for each pixel of height."""
    shift: float
    """In pixels."""


@dataclass(frozen=True)
class StrongAugmentation:
    """How a part of each batch is strongly augmented."""

    share: float
    """The share of the images of a batch. The other images are augmented as the recipe's `augmentation` says."""
    affine: AffineAugmentation
    """The affine transformation, which is larger than that of the other images."""
    probability: float
    """The probability of each other transformation. An image can get several of them, or none."""

    def __post_init__(self) -> None:
        """Reject values that are out of range."""
        require(0 < self.share <= 1, "share", self.share, "more than 0 and at most 1")
        require(0 <= self.probability <= 1, "probability", self.probability, "from 0 to 1")


@dataclass(frozen=True)
class Distillation:
    """How a network learns from the probabilities of a published version, its teacher (Hinton et al. 2015).

    Source: arXiv:1503.02531.
    """

    teacher: str
    """A model, whose highest version is the teacher, or a version, such as convnet-large/1.

    It is in the folder in which the new version is published.
    """
    temperature: float
    """The divisor of the teacher's log-probabilities. Above 1, it raises the less likely digits."""
    share: float
    """The share of the teacher in a target, for images that the teacher classifies correctly. The rest is the label."""

    @property
    def teacher_model(self) -> str:
        """The name of the teacher, without its version."""
        return self.teacher.partition("/")[0]

    def __post_init__(self) -> None:
        """Reject values that are out of range."""
        require(self.temperature > 0, "temperature", self.temperature, "a number above 0")
        require(0 < self.share <= 1, "share", self.share, "more than 0 and at most 1")


@dataclass(frozen=True)
class TrainingRecipe:
    """The settings of a training run. The same recipe, data and code give the same weights."""

    model: str
    """The name of the model, under which it is registered and published."""
    optimizer: Literal["sgd", "rmsprop"]
    learning_rate: float
    """The initial learning rate, or its peak if there is a warm-up."""
    iterations: int
    """The number of batches."""
    accuracy_threshold: float
    """The smallest accuracy on the test images with which the model is published."""
    corrupted_accuracy_threshold: float = 0.0
    """The smallest mean accuracy on corrupted test images. 0: corrupted images are not evaluated."""
    worst_corruption_threshold: float = 0.0
    """The smallest accuracy for each corruption."""
    convolutions: tuple[ConvolutionShape, ...] = ()
    """The convolutions with batch normalisation. None: the model has other layers, which its code defines."""
    batch_size: int = 100
    seed: int = 1337
    warmup: int = 0
    """The iterations in which the learning rate rises linearly from 0. It then falls to 0 along a cosine.

    0: the learning rate is constant.
    """
    momentum: float = 0.0
    label_smoothing: float = 0.0
    """The share of each target that is spread evenly over the ten digits (Szegedy et al. 2016, arXiv:1512.00567)."""
    augmentation: AffineAugmentation | None = None
    strong_augmentation: StrongAugmentation | None = None
    """If set, a part of each batch is strongly augmented."""
    distillation: Distillation | None = None
    """If set, the network is trained on the probabilities of a teacher. None: it is trained on the labels alone."""
    synthetic_digits: int = 0
    """The number of synthetic digits among the training images."""
    synthetic_non_digits: int = 0
    """The number of synthetic images without a digit. Their target is the uniform distribution."""
    source_share: float = 0.1
    """The share of the images of `--also` in an epoch. They are repeated, at most 20 times, to reach this share."""

    def __post_init__(self) -> None:
        """Reject values that are out of range."""
        require(self.learning_rate > 0, "learning_rate", self.learning_rate, "a number above 0")
        require(self.iterations >= 1, "iterations", self.iterations, "at least 1")
        require(self.batch_size >= 1, "batch_size", self.batch_size, "at least 1")
        require(self.synthetic_digits >= 0, "synthetic_digits", self.synthetic_digits, "at least 0")
        require(self.synthetic_non_digits >= 0, "synthetic_non_digits", self.synthetic_non_digits, "at least 0")
        require(0 < self.source_share < 1, "also_share", self.source_share, "more than 0 and less than 1")
        require(0 <= self.seed < 2**31, "seed", self.seed, "from 0 to 2147483647")

    def as_json(self) -> dict[str, Any]:
        """Return the recipe as JSON values, with the field names of `model.json`."""
        return asdict(self, dict_factory=_with_json_names)


def _with_json_names(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    return {JSON_NAMES.get(name, name): list(value) if isinstance(value, tuple) else value for name, value in fields}


def require(condition: bool, name: str, value: float, expected: str) -> None:  # noqa: FBT001 (reads as a sentence)
    """Raise RecipeError, with the name, the value and what is expected, unless the condition holds."""
    if not condition:
        msg = f"{name} is {value}; it must be {expected}."
        raise RecipeError(msg)


SOFTMAX = TrainingRecipe(
    model="softmax", optimizer="sgd", learning_rate=0.2, iterations=10_000, accuracy_threshold=0.91
)
"""The first recipe of the lesson, which is also that of the published softmax regression."""
LESSON_CONVNET = TrainingRecipe(
    model="convnet", optimizer="rmsprop", learning_rate=1e-3, iterations=5_001, accuracy_threshold=0.99
)
"""The second recipe of the lesson."""
CONVNET_LARGE = TrainingRecipe(
    model="convnet-large",
    optimizer="rmsprop",
    learning_rate=1e-3,
    iterations=20_000,
    accuracy_threshold=0.995,
    corrupted_accuracy_threshold=0.975,
    worst_corruption_threshold=0.92,
    convolutions=(
        ConvolutionShape(32, width=5),  # [B, 28, 28, 1] -> [B, 24, 24, 32]
        ConvolutionShape(64, stride=2),  # -> [B, 11, 11, 64]
        ConvolutionShape(96),  # -> [B, 9, 9, 96]
        ConvolutionShape(96),  # -> [B, 7, 7, 96]
        ConvolutionShape(128, stride=2),  # -> [B, 3, 3, 128]
        ConvolutionShape(160),  # -> [B, 1, 1, 160]
    ),
    warmup=200,
    momentum=0.9,
    label_smoothing=0.02,
    augmentation=AffineAugmentation(rotation=12, scale=0.12, shear=0.2, shift=2),
    strong_augmentation=StrongAugmentation(
        share=0.3, affine=AffineAugmentation(rotation=20, scale=0.3, shear=0.3, shift=3), probability=0.15
    ),
    synthetic_digits=2_000,
    synthetic_non_digits=3_000,
)
"""The recipe of the published large convnet, which is the teacher of the other."""
CONVNET = replace(
    CONVNET_LARGE,
    model="convnet",
    learning_rate=2e-3,
    iterations=20_000,
    batch_size=200,
    corrupted_accuracy_threshold=0.97,
    worst_corruption_threshold=0.9,
    convolutions=(
        # The first layers have a stride of 2: memory traffic of larger feature maps costs more time than arithmetic.
        ConvolutionShape(32, width=5, stride=2),  # [B, 28, 28, 1] -> [B, 12, 12, 32]
        ConvolutionShape(64, stride=2),  # -> [B, 5, 5, 64]
        ConvolutionShape(96),  # -> [B, 3, 3, 96]
        ConvolutionShape(128),  # -> [B, 1, 1, 128]
    ),
    distillation=Distillation(teacher="convnet-large", temperature=2.0, share=1.0),
)
"""The recipe of the published convnet. It learns from a teacher, with a larger learning rate."""
