"""The JSON schemas of requests and responses that several routes share. Does not know how the values are computed."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, WithJsonSchema

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
_READING: dict[str, JsonValue] = {
    "text": "7",
    "lines": [
        {
            "text": "7",
            "confidence": 0.9993,
            "digits": [
                {
                    "digit": 7,
                    "confidence": 0.9993,
                    "probabilities": [0.0, 0.0, 0.0001, 0.0001, 0.0, 0.0, 0.0, 0.9993, 0.0, 0.0005],
                    "box": [420, 310, 96, 132],
                    "abstained": False,
                    "reason": None,
                }
            ],
        }
    ],
    "width": 4000,
    "height": 3000,
    "model": "convnet",
    "version": 1,
    "finder_version": 1,
    "truncated": False,
}
_PROBLEM: dict[str, JsonValue] = {
    "type": "urn:digitserve:problem:unknown-version",
    "title": "No such version",
    "status": 404,
    "detail": "Model 'convnet' has no version 7. Available versions: 1, 2, 3.",
    "instance": "/predict",
    "request_id": "5f0c3a9be1d24c56",
}


def _is_none(value: object) -> bool:
    return value is None


Digit = Annotated[int, Field(ge=0, le=9, description="The most probable digit, even if the model abstained.")]
Confidence = Annotated[Probability, Field(description="The calibrated probability of that digit.")]
Probabilities = Annotated[
    list[Probability],
    Field(min_length=10, max_length=10, description="The probabilities of the digits 0 to 9, rounded to six decimals."),
]
Abstained = Annotated[bool, Field(description="Whether the model abstained: the prediction should not be trusted.")]
PredictionId = Annotated[
    str | None,
    Field(
        exclude_if=_is_none,  # the response has no such field where feedback is off
        description="The id to send in a correction. Left out if corrections are not collected.",
    ),
]


class Prediction(BaseModel):
    """A model's prediction for one picture."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PREDICTION]})

    digit: Digit
    confidence: Confidence
    probabilities: Probabilities
    abstained: Abstained
    reason: Annotated[
        Reason | None,
        Field(
            description="The reason of the abstention; null if the model did not abstain. A picture with "
            "`several_digits` can be sent to `/read`."
        ),
    ]
    model: str
    version: int
    seen: Annotated[
        str | None,
        Field(description="With `seen=true`: the 28x28 image that the model received, as a data URL of a PNG."),
    ] = None
    prediction_id: PredictionId = None


class ReadDigit(BaseModel):
    """One digit of a picture."""

    digit: Digit
    confidence: Confidence
    probabilities: Probabilities
    box: Annotated[
        tuple[int, ...],
        Field(
            min_length=4,
            max_length=4,
            description="Left, top, width and height, in pixels of the upright picture.",
        ),
    ]
    abstained: Abstained
    reason: Annotated[
        Reason | None, Field(description="The reason of the abstention; null if the model did not abstain.")
    ]
    seen: Annotated[
        str | None,
        Field(
            exclude_if=_is_none,
            description="With `seen=true`: the 28x28 image that the model received, as a data URL of a PNG.",
        ),
    ] = None
    prediction_id: PredictionId = None


class ReadLine(BaseModel):
    """One line of digits, from left to right."""

    text: Annotated[str, Field(description="The digits, with `?` for each on which the model abstained.")]
    confidence: Annotated[Probability, Field(description="The least confidence of its digits.")]
    digits: list[ReadDigit]


class Reading(BaseModel):
    """All digits in one picture."""

    model_config = ConfigDict(json_schema_extra={"examples": [_READING]})

    text: Annotated[str, Field(description="The texts of the lines, joined by line feeds; empty if no digit is found.")]
    lines: Annotated[list[ReadLine], Field(description="From top to bottom.")]
    width: Annotated[int, Field(description="Of the picture, upright by its EXIF orientation, in pixels.")]
    height: Annotated[int, Field(description="Of the picture, upright by its EXIF orientation, in pixels.")]
    model: str
    version: int
    finder_version: Annotated[int, Field(description="The version of the model that found the digits.")]
    truncated: Annotated[bool, Field(description="Whether the picture has more digits than these.")]


class Correction(BaseModel):
    """The correct label of a prediction."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"prediction_id": "q83v...", "label": 4}]}
    )

    prediction_id: Annotated[str, Field(description="The `prediction_id` of the prediction.")]
    label: Annotated[
        JsonValue,
        Field(description="The digit that the picture shows, or `not_a_digit`."),
        WithJsonSchema(
            {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 9}, {"type": "string", "const": "not_a_digit"}]}
        ),
    ]


class Stored(BaseModel):
    """The confirmation that a correction is stored."""

    label: Annotated[str, Field(description="0 to 9, or `not_a_digit`.")]
    new: Annotated[bool, Field(description="Whether this label of the image is new; false if it was stored before.")]


class Problem(BaseModel):
    """An error, as RFC 9457 defines problem details."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PROBLEM]})

    type: Annotated[str, Field(description="The type of the problem, for programs.")]
    title: Annotated[str, Field(description="The type of the problem, for people.")]
    status: int
    detail: Annotated[str, Field(description="What was wrong, what was expected and what to do.")]
    instance: Annotated[str, Field(description="The path of the request.")]
    request_id: Annotated[
        str, Field(description="The id of the request, also in the `X-Request-ID` header and in the log.")
    ]


class ProtocolError(BaseModel):
    """An error under `/v1` or `/v2`, as these protocols define it."""

    error: Annotated[str, Field(description="What was wrong, what was expected and what to do.")]


class BatchAnswer(BaseModel):
    """One prediction or one problem for each picture, in the order of the pictures."""

    predictions: list[Prediction | Problem]


class ReadingBatch(BaseModel):
    """One reading or one problem for each picture, in the order of the pictures."""

    readings: list[Reading | Problem]


class Occlusion(BaseModel):
    """A model's predictions for one picture, each with another square covered with blank paper."""

    model: str
    version: int
    digit: Annotated[int, Field(ge=0, le=9, description="The most probable digit with nothing covered.")]
    confidence: Annotated[Probability, Field(description="The probability of that digit with nothing covered.")]
    patch: Annotated[int, Field(description="The side of each square, in pixels of the 28x28 image.")]
    step: Annotated[
        int, Field(description="The distance from one square to the next, in pixels. The first is at the top left.")
    ]
    confidences: Annotated[
        list[list[Probability]],
        Field(description="The probability of that same digit with each square covered, row by row."),
    ]
    digits: Annotated[
        list[list[int]], Field(description="The most probable digit with each square covered, row by row.")
    ]


class WeightImages(BaseModel):
    """The weights of a model whose logits are an affine map of the pixels."""

    model: str
    version: int
    biases: Annotated[list[float], Field(description="Ten values: the logits of a blank image.")]
    weights: Annotated[
        list[list[list[float]]],
        Field(description="10 x 28 x 28 values: how much the ink of each pixel changes each logit."),
    ]


State = Literal["waiting", "loading", "ready", "unloading", "not_loaded", "failed"]
"""The state of a version.

- waiting: it will be loaded.
- loading: it is being loaded.
- ready: it answers requests.
- unloading: it finishes the requests that it has accepted.
- not_loaded: it is on disk only.
- failed: its files cannot be served.
"""


class Health(BaseModel):
    """The state of the process, or of the service."""

    status: Literal["live", "ready"]
