"""The model card: the schema of `model.json`, which `models/README.md` describes. Knows nothing of training."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
ReliabilityBin = tuple[Count, Share, Share]  # number of images, their mean confidence, their accuracy
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

    interval_95: tuple[Share, Share]
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


class Card(_Strict):
    """The whole of `model.json`."""

    name: str
    version: Annotated[int, Field(ge=1)]
    created_at: AwareDatetime
    architecture: str
    parameters: Annotated[int, Field(ge=1)]
    multiply_adds: Annotated[int, Field(ge=1)]
    training: dict[str, JsonValue]
    data: Data
    history: list[HistoryPoint]
    validation: Score
    test: TestReport
    temperature: Annotated[float, Field(gt=0)]
    abstention: Abstention
    preprocessing: Annotated[int, Field(ge=1)]
    files: Annotated[dict[str, Sha256], Field(min_length=1)]
    software: Software
    corrupted: dict[str, Share] | None = None
    comparison: Comparison | None = None
    teacher: Teacher | None = None
    self_test: SelfTest | None = None
