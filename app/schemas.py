"""The shapes of the answers, as JSON. Knows nothing of how they come about."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Reason = Literal["blank", "several_digits", "not_a_digit", "unsure"]
Probability = Annotated[float, Field(ge=0, le=1)]

_PREDICTION: dict[str, JsonValue] = {
    "digit": 7,
    "confidence": 0.9993,
    "probabilities": [0.0, 0.0, 0.0001, 0.0001, 0.0, 0.0, 0.0, 0.9993, 0.0, 0.0005],
    "abstained": False,
    "reason": None,
    "model": "convnet",
    "version": 1,
    "seen": None,
}
_PROBLEM: dict[str, JsonValue] = {
    "type": "urn:digitserve:problem:unknown-version",
    "title": "No such version",
    "status": 404,
    "detail": "Model 'convnet' has no version 7. Available versions: 1, 2, 3.",
    "instance": "/predict",
    "request_id": "5f0c3a9be1d24c56",
}


class Prediction(BaseModel):
    """What a model reads in one picture."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PREDICTION]})

    digit: Annotated[int, Field(ge=0, le=9, description="The best guess, also when it should not be trusted.")]
    confidence: Annotated[Probability, Field(description="The probability of that digit, calibrated.")]
    probabilities: Annotated[
        list[Probability], Field(min_length=10, max_length=10, description="Of 0 to 9, to six decimals.")
    ]
    abstained: Annotated[bool, Field(description="Whether the answer should not be trusted.")]
    reason: Annotated[Reason | None, Field(description="Why not, if so.")]
    model: str
    version: int
    seen: Annotated[
        str | None, Field(description="With `seen=true`: the 28x28 that the model saw, a PNG as a data URL.")
    ] = None
    prediction_id: Annotated[
        str | None,
        Field(
            exclude_if=lambda id_: id_ is None,  # so that where it is off, the answer is as it ever was
            description="What to name in a correction. Left out where corrections are not collected.",
        ),
    ] = None


class Correction(BaseModel):
    """What a prediction should have been."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"prediction_id": "q83v...", "label": 4}]})

    prediction_id: Annotated[str, Field(description="From the prediction.")]
    label: Annotated[
        JsonValue,
        Field(
            description="The digit that the picture shows, or that it shows none.",
            json_schema_extra={"enum": [*range(10), "not_a_digit"]},
        ),
    ]


class Stored(BaseModel):
    """That a correction has been stored."""

    label: Annotated[str, Field(description="0 to 9, or `not_a_digit`.")]
    new: Annotated[bool, Field(description="Whether the image did not have that label already.")]


class Problem(BaseModel):
    """What went wrong, as RFC 9457 has it."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PROBLEM]})

    type: Annotated[str, Field(description="The kind of problem, for programs.")]
    title: Annotated[str, Field(description="The kind of problem, for people.")]
    status: int
    detail: Annotated[str, Field(description="What was wrong, what was expected and what to do.")]
    instance: Annotated[str, Field(description="The path that was asked for.")]
    request_id: Annotated[str, Field(description="Also in the `X-Request-ID` header and in the log.")]


class BatchAnswer(BaseModel):
    """One prediction or one problem for each picture, in the order they were sent."""

    predictions: list[Prediction | Problem]


class Occlusion(BaseModel):
    """What a model reads in a picture of which one square after the other is covered with paper."""

    model: str
    version: int
    digit: Annotated[int, Field(ge=0, le=9, description="The best guess with nothing covered.")]
    confidence: Annotated[Probability, Field(description="The probability of that digit, nothing covered.")]
    patch: Annotated[int, Field(description="Side of each square, in pixels of the 28x28.")]
    step: Annotated[int, Field(description="From one square to the next, in pixels; the first is at the top left.")]
    confidences: Annotated[
        list[list[Probability]], Field(description="Of that same digit, with each square covered, row by row.")
    ]
    digits: Annotated[list[list[int]], Field(description="The best guess with each square covered, row by row.")]


class WeightImages(BaseModel):
    """The weights of a model whose logits are an affine map of the pixels."""

    model: str
    version: int
    biases: Annotated[list[float], Field(description="Ten: the logits of a blank image.")]
    weights: Annotated[list[list[list[float]]], Field(description="10 x 28 x 28: how a pixel's ink moves each logit.")]


State = Literal["waiting", "loading", "ready", "unloading", "not_loaded", "failed"]
"""Of a version: to be loaded; being loaded; answering; finishing what it began; on disk only; not fit to be served."""


class Health(BaseModel):
    """Whether the process, or the service, is well."""

    status: Literal["live", "ready"]
