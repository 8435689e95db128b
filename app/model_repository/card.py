"""The model cards: the schemas of `model.json`, which `models/README.md` describes. Knows nothing of training.

There is one schema for each task: `Card` for classifiers, `FinderCard` for the finder.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    Tag,
    WithJsonSchema,
)

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
ReliabilityBin = Annotated[
    tuple[Count, Share, Share],  # number of images, their mean confidence, their accuracy
    WithJsonSchema({"type": "array", "items": {"type": "number"}, "minItems": 3, "maxItems": 3}),  # for generators
]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(_Strict):
    """Training data besides MNIST: a feedback store or a folder of pictures."""

    name: str
    kind: Literal["feedback", "pictures"]
    sha256: Sha256
    learnt: Count
    held_back: Count


class Data(_Strict):
    """The data that the model was trained and evaluated on."""

    name: str
    files: dict[str, Sha256]
    split: dict[str, Count]
    also: list[Source] = []


class HistoryPoint(_Strict):
    """One point of the training curves."""

    iteration: Count
    loss: float
    validation_accuracy: Share


class Score(_Strict):
    """The accuracy on one split of the data."""

    total: Count
    correct: Count
    accuracy: Share


class TestReport(Score):
    """The evaluation on the test split, which is used neither for training nor for selection."""

    interval_95: Annotated[tuple[Share, ...], Field(min_length=2, max_length=2)]
    recall: Annotated[list[Share], Field(min_length=10, max_length=10)]
    confusion: Annotated[
        list[Annotated[list[Count], Field(min_length=10, max_length=10)]], Field(min_length=10, max_length=10)
    ]
    negative_log_likelihood: Annotated[float, Field(ge=0)]
    expected_calibration_error: Share
    reliability: list[ReliabilityBin] | None = None  # missing in the oldest published versions
    abstained: Count


class Abstention(_Strict):
    """The thresholds of confidence and energy for abstaining."""

    confidence: Share
    energy: float | None


class Measure(_Strict):
    """One metric in the comparison with the version that was served before."""

    name: str
    before: str
    after: str
    p: Share | None
    verdict: Literal["better", "worse", "same"]


class Comparison(_Strict):
    """The decision of the promotion gate. With `forced`, the version was published in spite of the objections."""

    with_version: Annotated[int, Field(ge=1)]
    measures: list[Measure]
    objections: list[str]
    forced: bool


class Teacher(_Strict):
    """The published version that this one was distilled from."""

    name: str
    version: Annotated[int, Field(ge=1)]
    files: Annotated[dict[str, Sha256], Field(min_length=1)]


class Software(_Strict):
    """The versions of the software that made the artefact."""

    python: str
    tensorflow: str
    digitserve: str


class SelfTest(_Strict):
    """A few images, and their probabilities as computed after training."""

    images: str  # base64 of zlib of uint8 [n, 28, 28]
    probabilities: Annotated[
        list[Annotated[list[Share], Field(min_length=10, max_length=10)]], Field(min_length=1, max_length=64)
    ]


class _Artefact(_Strict):
    """The fields that the cards of all tasks have."""

    name: str
    version: Annotated[int, Field(ge=1)]
    created_at: AwareDatetime
    architecture: str
    parameters: Annotated[int, Field(ge=1)]
    multiply_adds: Annotated[int, Field(ge=1)]
    training: dict[str, JsonValue]
    data: Data
    files: Annotated[dict[str, Sha256], Field(min_length=1)]
    software: Software
    comparison: Comparison | None = None


class Card(_Artefact):
    """The whole of `model.json` of a classifier."""

    title: str | None = None
    history: list[HistoryPoint]
    validation: Score
    test: TestReport
    temperature: Annotated[float, Field(gt=0)]
    abstention: Abstention
    preprocessing: Annotated[int, Field(ge=1)]
    corrupted: dict[str, Share] | None = None
    teacher: Teacher | None = None
    self_test: SelfTest | None = None


class FinderHistoryPoint(_Strict):
    """One point of the training curves of a finder."""

    iteration: Count
    loss: float
    validation_ink_f1: Share


class FinderReport(_Strict):
    """The evaluation of a finder on generated pages with the digits of one split."""

    pages: Count
    ink_f1: Share
    digits: Count
    found: Count
    false: Count
    recall: Share
    precision: Share


class Thresholds(_Strict):
    """The probabilities from which a pixel counts as ink of a digit, and as core of a digit."""

    ink: Share
    core: Share


class FinderSelfTest(_Strict):
    """A few pictures, and their maps as computed after training. All are compressed with zlib, in base64."""

    pictures: str  # uint8 [n, 192, 192, 3]
    ink: str  # uint8 [n, 96, 96]: the probabilities times 255, rounded
    cores: str  # the same


class FinderCard(_Artefact):
    """The whole of `model.json` of a finder, which finds the ink and the cores of digits in a picture."""

    task: Literal["find_digits"]
    history: list[FinderHistoryPoint]
    validation: FinderReport
    test: FinderReport
    thresholds: Thresholds
    self_test: FinderSelfTest


def _task_of(card: object) -> str | None:
    """Return the task of a card, a validated one or the members of its JSON. Classifiers have no `task`."""
    if isinstance(card, FinderCard):
        return card.task
    task = card.get("task", _CLASSIFY) if isinstance(card, Mapping) else _CLASSIFY
    return task if isinstance(task, str) else None


_CLASSIFY = "classify"

AnyCard = Annotated[
    Annotated[Card, Tag(_CLASSIFY)] | Annotated[FinderCard, Tag("find_digits")],
    Discriminator(
        _task_of,
        custom_error_type="unknown_task",
        custom_error_message="The only task that a card may name is 'find_digits'",
    ),
]
"""The card of any task."""
