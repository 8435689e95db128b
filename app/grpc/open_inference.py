"""`inference.GRPCInferenceService`: the Open Inference Protocol, version 2, with Triton's extensions."""

from collections.abc import Mapping

from google.protobuf.json_format import ParseDict

from app.errors import MalformedRequest, ServiceError
from app.grpc.calls import Access, Answer, Call
from app.grpc.infer_messages import add_outputs, to_members
from app.grpc.parts import BATCH_ITERATIONS, Parts
from app.grpc.stubs import inference_pb2 as messages
from app.protocols.open_inference import models
from app.protocols.open_inference.metadata import (
    describe_configuration,
    describe_index,
    describe_model,
    describe_server,
    describe_statistics,
)
from app.protocols.open_inference.requests import parse_message
from app.protocols.open_inference.responses import write_outputs

SERVICE = messages.DESCRIPTOR.services_by_name["GRPCInferenceService"]


class OpenInferenceServicer:
    """Answers the messages of the service."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._catalogue = parts.repository.catalogue

    def answers(self) -> Mapping[str, tuple[Access, Answer]]:
        """Return what a call of each method needs, and the function that answers it."""
        return {
            "ServerLive": (Access.READ, self.live),
            "ServerReady": (Access.READ, self.ready),
            "ModelReady": (Access.READ, self.model_ready),
            "ServerMetadata": (Access.READ, self.server_metadata),
            "ModelMetadata": (Access.READ, self.model_metadata),
            "ModelConfig": (Access.READ, self.model_configuration),
            "ModelStatistics": (Access.READ, self.model_statistics),
            "ModelInfer": (Access.PREDICT, self.infer),
            "ModelStreamInfer": (Access.PREDICT, self.stream_infer),
            "RepositoryIndex": (Access.PREDICT, self.repository_index),
            "RepositoryModelLoad": (Access.ADMIN, self.load),
            "RepositoryModelUnload": (Access.ADMIN, self.unload),
        }

    async def live(self, _: messages.ServerLiveRequest, __: Call) -> messages.ServerLiveResponse:
        """Answer in every state."""
        return messages.ServerLiveResponse(live=True)

    async def ready(self, _: messages.ServerReadyRequest, __: Call) -> messages.ServerReadyResponse:
        """Tell whether every required model is ready, but for those that were unloaded."""
        return messages.ServerReadyResponse(ready=models.is_ready(self._catalogue))

    async def model_ready(self, request: messages.ModelReadyRequest, _: Call) -> messages.ModelReadyResponse:
        """Tell whether a model or version is ready. One that does not exist is not."""
        try:
            models.find_any(self._catalogue, request.name, request.version)
        except MalformedRequest:
            raise
        except ServiceError:
            return messages.ModelReadyResponse(ready=False)
        return messages.ModelReadyResponse(ready=True)

    async def server_metadata(self, _: messages.ServerMetadataRequest, __: Call) -> messages.ServerMetadataResponse:
        """Return the name of the service and its extensions."""
        return messages.ServerMetadataResponse(**describe_server())

    async def model_metadata(self, request: messages.ModelMetadataRequest, _: Call) -> messages.ModelMetadataResponse:
        """Return the inputs and outputs of a model, and the versions that are ready."""
        loaded = models.find_any(self._catalogue, request.name, request.version)
        description = describe_model(loaded.card.name, models.ready_versions(self._catalogue, loaded, request.version))
        # Without the parameters, which this message does not have.
        return ParseDict(description, messages.ModelMetadataResponse(), ignore_unknown_fields=True)

    async def model_configuration(self, request: messages.ModelConfigRequest, _: Call) -> messages.ModelConfigResponse:
        """Return the configuration of a model in Triton's format."""
        settings = self._parts.settings
        loaded = models.find_any(self._catalogue, request.name, request.version)
        description = describe_configuration(
            loaded.card.name,
            engine=settings.engine,
            versions=models.ready_versions(self._catalogue, loaded, request.version),
            max_batch_size=models.max_batch_size(settings.max_body_bytes),
        )
        return ParseDict({"config": description}, messages.ModelConfigResponse())

    async def model_statistics(
        self, request: messages.ModelStatisticsRequest, _: Call
    ) -> messages.ModelStatisticsResponse:
        """Return the statistics of the versions of a model that are ready, or of all models without a name."""
        if request.name:
            loaded = models.find_any(self._catalogue, request.name, request.version)
            numbers = models.ready_versions(self._catalogue, loaded, request.version)
            versions = [(loaded.card.name, number) for number in numbers]
        else:
            versions = models.all_ready_versions(self._catalogue)
        description = describe_statistics(self._parts.statistics, versions)
        return ParseDict(description, messages.ModelStatisticsResponse(), ignore_unknown_fields=True)

    async def infer(self, request: messages.ModelInferRequest, call: Call) -> messages.ModelInferResponse:
        """Score images or pictures."""
        predictor = self._parts.tensor_predictor
        loaded = models.find(self._catalogue, request.model_name, request.model_version)
        with predictor.begin(loaded, iterations=BATCH_ITERATIONS) as scoring:
            parsed = await parse_message(*await to_members(request), max_files=predictor.max_files)
            outputs, tensors = await write_outputs(parsed, await scoring.score(parsed.inputs))
        call.answered_by = loaded.card.name, loaded.card.version
        response = messages.ModelInferResponse(
            model_name=loaded.card.name,
            model_version=str(loaded.card.version),
            id=request.id,
            raw_output_contents=tensors,
        )
        add_outputs(response, outputs)
        return response

    async def stream_infer(self, request: messages.ModelInferRequest, call: Call) -> messages.ModelStreamInferResponse:
        """Score the images or pictures of one message of a stream."""
        response = await self.infer(request, call)
        response.parameters["triton_final_response"].bool_param = True  # as Triton: the only one to this request
        return messages.ModelStreamInferResponse(infer_response=response)

    @staticmethod
    def describe_stream_error(detail: str) -> messages.ModelStreamInferResponse:
        """Return the response to a message of a stream that has an error."""
        return messages.ModelStreamInferResponse(error_message=detail)

    async def repository_index(
        self, request: messages.RepositoryIndexRequest, _: Call
    ) -> messages.RepositoryIndexResponse:
        """List all versions, or those that are ready."""
        entries = describe_index(self._catalogue.models, only_ready=request.ready)
        return messages.RepositoryIndexResponse(
            models=[messages.RepositoryIndexResponse.ModelIndex(**entry) for entry in entries]
        )

    async def load(self, request: messages.RepositoryModelLoadRequest, _: Call) -> messages.RepositoryModelLoadResponse:
        """Load the new versions of a model now, in all workers."""
        if request.parameters:
            names = ", ".join(sorted(request.parameters))
            message = (
                f"The request has the parameters {names:.200}. Expected none: a model is loaded as it was published."
            )
            raise MalformedRequest(message)
        await self._parts.repository.load(request.model_name)
        return messages.RepositoryModelLoadResponse()

    async def unload(
        self, request: messages.RepositoryModelUnloadRequest, _: Call
    ) -> messages.RepositoryModelUnloadResponse:
        """Unload a model in all workers, until it is loaded again."""
        await self._parts.repository.unload(request.model_name)
        return messages.RepositoryModelUnloadResponse()
