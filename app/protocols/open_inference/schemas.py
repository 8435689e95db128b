"""Schemas of the protocol's requests and responses, for OpenAPI only. They validate no request."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Flat = list[Any]


class ServerMetadata(BaseModel):
    """The service and its extensions."""

    name: str
    version: str
    extensions: list[str]


class Live(BaseModel):
    """Whether the process is alive."""

    live: bool


class Ready(BaseModel):
    """Whether every required model is ready."""

    ready: bool


class ModelNames(BaseModel):
    """The names of all models."""

    models: list[str]


class ModelReady(BaseModel):
    """Whether a model is ready."""

    name: str
    ready: bool


class MetadataTensor(BaseModel):
    """An input or an output; -1 is any number of images."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(BaseModel):
    """The inputs and outputs of a model."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[MetadataTensor]
    outputs: list[MetadataTensor]
    parameters: dict[str, str]


class ModelConfiguration(BaseModel):
    """The configuration of a model, in Triton's format."""

    model_config = ConfigDict(extra="allow")

    name: str
    platform: str
    backend: str
    max_batch_size: int


class ModelStatistics(BaseModel):
    """Statistics of versions, in Triton's format."""

    model_stats: list[dict[str, Any]]


class IndexEntry(BaseModel):
    """The state of a version."""

    name: str
    version: str
    state: Literal["READY", "UNAVAILABLE", "LOADING", "UNLOADING"]
    reason: str


class Index(BaseModel):
    """The options of the index."""

    ready: bool | None = None


class RequestInput(BaseModel):
    """A tensor of images, or of picture files."""

    name: Literal["images", "image"]
    shape: list[Annotated[int, Field(ge=0)]]
    datatype: Literal["UINT8", "FP32", "BYTES"]
    data: Annotated[Flat, Field(description="Row-major, nested or flat; omitted if the tensor follows the JSON.")] = []
    parameters: Annotated[dict[str, Any], Field(description="`binary_data_size`")] = {}


class RequestedOutput(BaseModel):
    """An output that a request asks for."""

    name: Literal["probabilities", "logits"]
    parameters: Annotated[dict[str, Any], Field(description="`binary_data`, `classification`")] = {}


class InferenceRequest(BaseModel):
    """An inference request."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "42",
                    "inputs": [{"name": "images", "shape": [1, 28, 28], "datatype": "UINT8", "data": [0] * 784}],
                    "outputs": [{"name": "probabilities", "parameters": {"classification": 3}}],
                }
            ]
        }
    )

    id: str = ""
    inputs: Annotated[list[RequestInput], Field(min_length=1, max_length=1)]
    outputs: Annotated[list[RequestedOutput], Field(description="All outputs by default.")] = []
    parameters: Annotated[dict[str, Any], Field(description="`binary_data_output`")] = {}


class ResponseOutput(BaseModel):
    """An output. It has no `data` if its tensor follows the JSON."""

    name: str
    shape: list[int]
    datatype: Literal["FP32", "BYTES"]
    data: list[float | str] = []
    parameters: dict[str, int] = {}


class InferenceResponse(BaseModel):
    """The response to an inference request."""

    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[ResponseOutput]
