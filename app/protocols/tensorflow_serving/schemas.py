"""Schemas of TensorFlow Serving's requests and responses, for OpenAPI only. They validate no request."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Score = Annotated[
    list[str | float], Field(min_length=2, max_length=2, description="A digit as text, and its probability.")
]
_BLANK: JsonValue = [[0] * 28] * 28


class ModelNames(BaseModel):
    """The names of all models."""

    models: list[str]


class Predict(BaseModel):
    """A `:predict` request, with either `instances` or `inputs`."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"instances": [{"images": _BLANK}]}]})

    signature_name: Literal["serving_default", "predict_images"] = "serving_default"
    instances: list[Any] = []
    inputs: Any = None


class Predictions(BaseModel):
    """The response to `:predict`: `predictions` for `instances`, `outputs` for `inputs`."""

    predictions: list[Any] = []
    outputs: Any = None


class Classify(BaseModel):
    """A `:classify` request."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"examples": [{"images": _BLANK}]}]})

    signature_name: Literal["classify_images", "serving_default", "predict_images"] = "classify_images"
    context: dict[str, Any] = {}
    examples: list[dict[str, Any]]


class Classifications(BaseModel):
    """The probability of every digit, for each example."""

    results: list[list[Score]]
    result: Annotated[
        list[list[Score]],
        Field(deprecated=True, description="The same as `results`. It will be removed after version 0.2."),
    ]


class Status(BaseModel):
    """The error of a version, if it has one."""

    error_code: str
    error_message: str


class ServableVersionStatus(BaseModel):
    """The state of a version."""

    version: str
    state: Literal["START", "LOADING", "AVAILABLE", "UNLOADING", "END"]
    status: Status


class ServableStatus(BaseModel):
    """The versions of a model."""

    model_version_status: list[ServableVersionStatus]


class ServableMetadata(BaseModel):
    """The signatures of a version."""

    model_spec: dict[str, str]
    metadata: dict[str, Any]
