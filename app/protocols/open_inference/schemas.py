"""The shapes of the protocol's requests and answers, for the documentation. They validate nothing that comes in."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Flat = list[Any]


class ServerMetadata(BaseModel):
    """What the service is."""

    name: str
    version: str
    extensions: list[str]


class Live(BaseModel):
    """Whether the process is alive."""

    live: bool


class Ready(BaseModel):
    """Whether every required model answers."""

    ready: bool


class ModelReady(BaseModel):
    """Whether a model answers."""

    name: str
    ready: bool


class MetadataTensor(BaseModel):
    """An input or an output; -1 is any number of images."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(BaseModel):
    """The tensors of a model."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[MetadataTensor]
    outputs: list[MetadataTensor]
    parameters: dict[str, str]


class ModelConfiguration(BaseModel):
    """A model in the terms of Triton's configuration."""

    model_config = ConfigDict(extra="allow")

    name: str
    platform: str
    backend: str
    max_batch_size: int


class ModelStatistics(BaseModel):
    """What versions have done, in the terms of Triton's statistics."""

    model_stats: list[dict[str, Any]]


class IndexEntry(BaseModel):
    """One version."""

    name: str
    version: str
    state: Literal["READY", "UNAVAILABLE", "LOADING", "UNLOADING"]
    reason: str


class Index(BaseModel):
    """What the index is asked."""

    ready: bool = False


class RequestInput(BaseModel):
    """The images, or picture files in their place."""

    name: Literal["images", "image"]
    shape: list[Annotated[int, Field(ge=0)]]
    datatype: Literal["UINT8", "FP32", "BYTES"]
    data: Annotated[Flat, Field(description="Row-major, nested or flat; left out if the tensor follows the JSON.")]
    parameters: Annotated[dict[str, Any], Field(description="`binary_data_size`")]


class RequestedOutput(BaseModel):
    """One output that is asked for."""

    name: Literal["probabilities", "logits"]
    parameters: Annotated[dict[str, Any], Field(description="`binary_data`, `classification`")] = {}


class InferenceRequest(BaseModel):
    """What a client asks for."""

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
    outputs: Annotated[list[RequestedOutput], Field(description="All, if left out.")] = []
    parameters: Annotated[dict[str, Any], Field(description="`binary_data_output`")] = {}


class ResponseOutput(BaseModel):
    """One output; with `data` unless it follows the JSON."""

    name: str
    shape: list[int]
    datatype: Literal["FP32", "BYTES"]
    data: list[float | str] = []
    parameters: dict[str, int] = {}


class InferenceResponse(BaseModel):
    """What a model answers."""

    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[ResponseOutput]
