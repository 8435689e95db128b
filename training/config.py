"""The configuration of a training run, and the defaults of both models. Plain values: knows no data and no network."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

from training.errors import ConfigError

ModelName = Literal["softmax", "convnet"]
MODEL_NAMES: tuple[ModelName, ...] = get_args(ModelName)


@dataclass(frozen=True)
class Augmentation:
    """The largest change to a training image; each image gets its own, drawn evenly from minus to plus this much."""

    rotation: float
    """Degrees."""
    scale: float
    """Natural logarithm of the factor, for width and height apart."""
    shear: float
    """Pixels sideways for each pixel of height."""
    shift: float
    """Pixels."""


@dataclass(frozen=True)
class Disturbance:
    """What is done to a second copy of each training image, of which the network learns as well."""

    movement: Augmentation
    """Wider than that of the first copy."""
    chance: float
    """How likely each way to disturb an image is to be taken; an image can have several, or none."""
    weight: float
    """What the loss on the second copy counts, that on the first being 1."""


@dataclass(frozen=True)
class Distillation:
    """What a network learns from a version that is published, its teacher (Hinton et al. 2015, arXiv:1503.02531)."""

    teacher: str
    """Its model and version, such as convnet/3, in the folder where the new version is to be published."""
    temperature: float
    """What the logarithms of its probabilities are divided by: above 1, it says more of the digits it did not read."""
    share: float
    """How much of a target is what the teacher says, where it reads the label; the rest of it is the label."""

    def __post_init__(self) -> None:
        """Refuse values that no run could use."""
        _require(self.temperature > 0, "temperature", self.temperature, "a number above 0")
        _require(0 < self.share <= 1, "share", self.share, "more than 0 and at most 1")


@dataclass(frozen=True)
class TrainingConfig:
    """What can be chosen of a run: the same configuration gives the same weights, of the same data by the same code.

    The layers are in the code, in `training/networks.py`.
    """

    model: ModelName
    optimizer: Literal["sgd", "rmsprop"]
    learning_rate: float
    """The base rate: where the rate starts, or its peak where there is a warm-up."""
    iterations: int
    """Batches learnt from."""
    bar: float
    """The share of the test images that must be read right for the model to be published."""
    bar_corrupted: float = 0.0
    """The same of corrupted test images: the mean over the kinds of corruption. 0: these are not read at all."""
    bar_each_corruption: float = 0.0
    """The same for each kind of corruption."""
    batch_size: int = 100
    seed: int = 1337
    warmup: int = 0
    """Iterations in which the rate climbs from nothing to the base rate, to fall along a cosine to nothing after.

    0: the rate stays as it is.
    """
    momentum: float = 0.0
    label_smoothing: float = 0.0
    """The share of each target that is spread evenly over the ten digits (Szegedy et al. 2016, arXiv:1512.00567)."""
    augmentation: Augmentation | None = None
    disturbance: Disturbance | None = None
    """With it, a network learns from each batch twice over: as it is, and disturbed."""
    distillation: Distillation | None = None
    """With it, a network learns from a teacher as well. None: it learns from the labels alone."""
    abstained: float = 0.0015
    """The share of the validation digits that each threshold of abstention gives up."""
    drawn_digits: int = 0
    """How many digits drawn in code join the training images."""
    drawn_no_digits: int = 0
    """How many drawings of something else join them, to be answered with the same score for every digit."""
    also_share: float = 0.1
    """How much of an epoch is to come from `--also`, whose images are repeated for it, 20 times at most."""

    def __post_init__(self) -> None:
        """Refuse values that no run could use."""
        _require(self.learning_rate > 0, "learning_rate", self.learning_rate, "a number above 0")
        _require(self.iterations >= 1, "iterations", self.iterations, "at least 1")
        _require(self.batch_size >= 1, "batch_size", self.batch_size, "at least 1")
        _require(0 <= self.abstained < 1, "abstained", self.abstained, "at least 0 and less than 1")
        _require(self.drawn_digits >= 0, "drawn_digits", self.drawn_digits, "at least 0")
        _require(self.drawn_no_digits >= 0, "drawn_no_digits", self.drawn_no_digits, "at least 0")
        _require(0 < self.also_share < 1, "also_share", self.also_share, "more than 0 and less than 1")
        _require(0 <= self.seed < 2**31, "seed", self.seed, "from 0 to 2147483647")

    def as_json(self) -> dict[str, Any]:
        """Give the configuration as the values that JSON has."""
        return asdict(self)


def _require(condition: bool, name: str, value: float, expected: str) -> None:  # noqa: FBT001 (reads as a sentence)
    if not condition:
        msg = f"{name} is {value}; it must be {expected}."
        raise ConfigError(msg)


SOFTMAX = TrainingConfig(model="softmax", optimizer="sgd", learning_rate=0.2, iterations=10_000, bar=0.91)
CONVNET = TrainingConfig(
    model="convnet",
    optimizer="rmsprop",
    learning_rate=1e-3,
    iterations=5_001,
    bar=0.99,
    bar_corrupted=0.97,
    bar_each_corruption=0.9,
    warmup=200,
    momentum=0.9,
    label_smoothing=0.05,
    augmentation=Augmentation(rotation=10, scale=0.1, shear=0.2, shift=1.5),
    disturbance=Disturbance(Augmentation(rotation=20, scale=0.3, shear=0.3, shift=3), chance=0.15, weight=0.15),
    abstained=0.001,
    drawn_digits=2_000,
    drawn_no_digits=3_000,
)
"""The convnet of the lesson, which needs nothing but the data."""
DISTILLED = replace(
    CONVNET,
    iterations=12_500,
    learning_rate=2e-3,
    disturbance=Disturbance(Augmentation(rotation=20, scale=0.3, shear=0.3, shift=3), chance=0.15, weight=0.2),
    distillation=Distillation(teacher="convnet/3", temperature=2.0, share=1.0),
    abstained=0.0015,
)
"""The convnet that is published: it has a teacher, and the time to follow it; its rate was chosen with these."""
DEFAULTS: dict[ModelName, TrainingConfig] = {"softmax": SOFTMAX, "convnet": DISTILLED}
