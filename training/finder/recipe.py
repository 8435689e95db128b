"""The recipe of the finder: every setting of a training run. Knows no pages and no network."""

from dataclasses import asdict, dataclass
from typing import Any

from training.recipes import FINDER, require

VALIDATION_SEED = 2**31
"""The seed of the validation pages. A recipe has a smaller one, so no run is trained on the same layouts."""
TEST_SEED = VALIDATION_SEED + 1
"""The seed of the test pages."""


@dataclass(frozen=True)
class FinderRecipe:
    """The settings of a training run of the finder. The same recipe, digits and code give the same weights.

    The layers are in `training/finder/network.py`, and what is drawn on the pages is in `training/data/pages/`.
    """

    pages: int = 220_000
    """The number of training pages. Each is used once."""
    batch_size: int = 16
    """The pages in a batch. A page has 9,216 cells to learn from, so few pages make a steady gradient."""
    learning_rate: float = 2e-3
    """The peak of the learning rate, after the warm-up."""
    weight_decay: float = 1e-4
    """The share of each weight that a step takes away, times the learning rate (Loshchilov and Hutter 2019)."""
    warmup: int = 100
    """The iterations in which the learning rate rises linearly from 0. It then falls to 0 along a cosine."""
    seed: int = 1337
    """The seed of the weights and of the training pages."""
    validation_pages: int = 500
    """The pages for the training curves and the thresholds: about 1,500 digits."""
    test_pages: int = 1_000
    """The pages for the test report and the promotion gate: about 3,000 digits."""
    ink_f1_threshold: float = 0.65
    """The smallest F1 score of the ink on the test pages with which the finder is published.

    The default recipe reaches 0.84, a recall of 0.75 and a precision of 0.82. This threshold and the next two stop a
    run that failed or was far too short. The promotion gate detects smaller losses.
    """
    recall_threshold: float = 0.5
    """The smallest share of the digits on the test pages that is found."""
    precision_threshold: float = 0.5
    """The smallest share of the finds on the test pages that are digits."""

    def __post_init__(self) -> None:
        """Reject values that are out of range."""
        require(self.pages >= 1, "pages", self.pages, "at least 1")
        require(self.batch_size >= 1, "batch_size", self.batch_size, "at least 1")
        require(self.learning_rate > 0, "learning_rate", self.learning_rate, "a number above 0")
        require(self.weight_decay >= 0, "weight_decay", self.weight_decay, "at least 0")
        require(self.warmup >= 0, "warmup", self.warmup, "at least 0")
        require(0 <= self.seed < VALIDATION_SEED, "seed", self.seed, "from 0 to 2147483647")
        require(self.validation_pages >= 1, "validation_pages", self.validation_pages, "at least 1")
        require(self.test_pages >= 1, "test_pages", self.test_pages, "at least 1")

    @property
    def iterations(self) -> int:
        """The number of batches. All batches have the same size, so the last one may exceed `pages`."""
        return -(-self.pages // self.batch_size)

    def as_json(self) -> dict[str, Any]:
        """Return the recipe as JSON values, for `model.json`."""
        return {"model": FINDER, **asdict(self)}


DEFAULT_FINDER = FinderRecipe()
"""The recipe of the published finder."""
