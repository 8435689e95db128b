"""`tensorflow.serving.PredictionService` and `ModelService`: the gRPC interface of TensorFlow Serving."""

import asyncio
from collections.abc import Mapping

from google.protobuf.json_format import ParseDict

from app.errors import MalformedRequest
from app.grpc.calls import Access, Answer, Call
from app.grpc.parts import BATCH_ITERATIONS, Parts
from app.grpc.stubs import tensorflow_serving_pb2 as messages
from app.grpc.stubs.pool import POOL
from app.grpc.tensor_messages import from_example, from_examples, from_tensor, to_tensor
from app.inference.scores import Scores
from app.model_repository.versions import Loaded, LoadedVersion
from app.protocols.json_writer import split_rows
from app.protocols.tensorflow_serving import servables
from app.protocols.tensorflow_serving.metadata import CLASSIFY, describe_metadata, describe_status
from app.protocols.tensorflow_serving.requests import parse_examples, parse_typed_predict
from app.protocols.tensorflow_serving.responses import select_outputs

PREDICTION_SERVICE = messages.DESCRIPTOR.services_by_name["PredictionService"]
MODEL_SERVICE = messages.DESCRIPTOR.services_by_name["ModelService"]
_SIGNATURES = "signature_def"
"""The only field of the metadata."""


class TensorFlowServingServicer:
    """Answers the messages of both services."""

    def __init__(self, parts: Parts) -> None:
        self._predictor = parts.tensor_predictor
        self._catalogue = parts.repository.catalogue

    def prediction_answers(self) -> Mapping[str, tuple[Access, Answer]]:
        """Return what a call of each method of PredictionService needs, and the function that answers it."""
        return {
            "Predict": (Access.PREDICT, self.predict),
            "Classify": (Access.PREDICT, self.classify),
            "Regress": (Access.PREDICT, self.regress),
            "GetModelMetadata": (Access.READ, self.metadata),
        }

    def model_answers(self) -> Mapping[str, tuple[Access, Answer]]:
        """Return the same for ModelService."""
        return {"GetModelStatus": (Access.READ, self.status)}

    async def predict(self, request: messages.PredictRequest, call: Call) -> messages.PredictResponse:
        """Score images or picture files."""
        spec = request.model_spec
        loaded = servables.find(self._catalogue, *_parse_spec(spec))
        with self._predictor.begin(loaded, iterations=BATCH_ITERATIONS) as scoring:
            limit = self._predictor.max_files
            inputs = {
                name: await from_tensor(tensor, name, max_repeated=limit) for name, tensor in request.inputs.items()
            }
            parsed = await parse_typed_predict(inputs, spec.signature_name, request.output_filter, max_files=limit)
            outputs = select_outputs(parsed, await scoring.score(parsed.inputs))
            response = messages.PredictResponse(
                model_spec=_describe_spec(loaded, spec.signature_name or "serving_default"),
                outputs={name: await to_tensor(values) for name, values in outputs.items()},
            )
        call.answered_by = loaded.card.name, loaded.card.version
        return response

    async def classify(self, request: messages.ClassificationRequest, call: Call) -> messages.ClassificationResponse:
        """Return the probability of every digit for each example."""
        spec = request.model_spec
        loaded = servables.find(self._catalogue, *_parse_spec(spec))
        with self._predictor.begin(loaded, iterations=BATCH_ITERATIONS) as scoring:
            shared = request.input.example_list_with_context
            examples = await from_examples(request.input.example_list.examples or shared.examples)
            context = from_example(shared.context, "context")
            name = spec.signature_name or CLASSIFY
            inputs = await parse_examples(examples, context, name, max_files=self._predictor.max_files)
            result = await _describe_classes(await scoring.score(inputs))
        call.answered_by = loaded.card.name, loaded.card.version
        return messages.ClassificationResponse(model_spec=_describe_spec(loaded, name), result=result)

    async def regress(self, request: messages.RegressionRequest, _: Call) -> messages.RegressionResponse:
        """Refuse: the models have no signature for regression."""
        servables.find_any(self._catalogue, *_parse_spec(request.model_spec))
        message = "The models are classifiers and have no signature for regression. Use Predict or Classify."
        raise MalformedRequest(message)

    async def metadata(self, request: messages.GetModelMetadataRequest, _: Call) -> messages.GetModelMetadataResponse:
        """Return the signatures of a version."""
        if set(request.metadata_field) != {_SIGNATURES}:
            message = f"The metadata_field is {list(request.metadata_field)!s:.80}. Expected ['{_SIGNATURES}']."
            raise MalformedRequest(message)
        loaded = servables.find_any(self._catalogue, *_parse_spec(request.model_spec))
        signatures = messages.SignatureDefMap()
        ParseDict(describe_metadata(loaded)["metadata"][_SIGNATURES], signatures, descriptor_pool=POOL)
        response = messages.GetModelMetadataResponse(model_spec=_describe_spec(loaded))
        response.metadata[_SIGNATURES].Pack(signatures)
        return response

    async def status(self, request: messages.GetModelStatusRequest, _: Call) -> messages.GetModelStatusResponse:
        """Return the states of all versions of a model, or of one version."""
        versions = servables.list_versions(self._catalogue, *_parse_spec(request.model_spec))
        return ParseDict(describe_status(versions), messages.GetModelStatusResponse())


def _parse_spec(spec: messages.ModelSpec) -> tuple[str, int | None, str | None]:
    """Return the model, the version and the label."""
    if not spec.name:
        message = "The model_spec has no name. Name the model."
        raise MalformedRequest(message)
    choice = spec.WhichOneof("version_choice")
    version = spec.version.value if choice == "version" else None
    return spec.name, version, spec.version_label if choice == "version_label" else None


def _describe_spec(loaded: Loaded | LoadedVersion, signature: str = "") -> messages.ModelSpec:
    spec = messages.ModelSpec(name=loaded.card.name, signature_name=signature)
    spec.version.value = loaded.card.version
    return spec


async def _describe_classes(scores: Scores) -> messages.ClassificationResult:
    """Return the probability of every digit, in the order of the digits."""
    result = messages.ClassificationResult()
    for rows in split_rows(scores.probabilities):
        for row in rows.tolist():
            classes = [messages.Class(label=str(digit), score=score) for digit, score in enumerate(row)]
            result.classifications.add(classes=classes)
        await asyncio.sleep(0)
    return result
