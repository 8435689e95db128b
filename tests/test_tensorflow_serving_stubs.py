"""The gRPC interface of TensorFlow Serving with its own stubs, which import TensorFlow."""

from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from app.grpc.stubs import tensorflow_error_pb2, tensorflow_pb2, tensorflow_serving_pb2
from tests.app.grpc.conftest import free_port
from tests.app.service import service
from tests.conftest import newest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def channel() -> Iterator[grpc.Channel]:
    port = free_port()
    with service(WORKERS="1", GRPC_PORT=str(port)), grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel


def test_the_stubs_predict_classify_and_describe(channel: grpc.Channel) -> None:
    import tensorflow as tf  # noqa: PLC0415 - the fast suite must not import it
    from tensorflow_serving.apis import (  # noqa: PLC0415
        classification_pb2,
        get_model_metadata_pb2,
        get_model_status_pb2,
        model_service_pb2_grpc,
        predict_pb2,
        prediction_service_pb2_grpc,
    )

    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    images = np.zeros((2, 28, 28), np.uint8)
    images[:, 4:24, 13:16] = 255
    version = int(newest("convnet").name)

    request = predict_pb2.PredictRequest()
    request.model_spec.name = "convnet"
    for values in (images, images / 255, (images / 255).astype(np.float32), images.astype(np.int32)):
        request.inputs["images"].CopyFrom(tf.make_tensor_proto(values))
        response = stub.Predict(request, timeout=60)
        assert response.model_spec.version.value == version
        probabilities = tf.make_ndarray(response.outputs["probabilities"])
        assert probabilities.shape == (2, 10)
        assert probabilities.argmax(axis=1).tolist() == [1, 1]
    request.inputs["images"].CopyFrom(tf.make_tensor_proto(0, tf.uint8, (2, 28, 28)))  # one value for all pixels
    assert tf.make_ndarray(stub.Predict(request, timeout=60).outputs["logits"]).shape == (2, 10)

    classification = classification_pb2.ClassificationRequest()
    classification.model_spec.name = "convnet"
    example = classification.input.example_list.examples.add()
    example.features.feature["images"].int64_list.value.extend(images[0].ravel().tolist())
    [found] = stub.Classify(classification, timeout=60).result.classifications
    assert max(found.classes, key=lambda each: each.score).label == "1"

    metadata = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    metadata.model_spec.name = "convnet"
    signatures = get_model_metadata_pb2.SignatureDefMap()
    stub.GetModelMetadata(metadata, timeout=60).metadata["signature_def"].Unpack(signatures)
    assert signatures.signature_def["serving_default"].inputs["images"].dtype == tf.uint8.as_datatype_enum

    status = get_model_status_pb2.GetModelStatusRequest()
    status.model_spec.name = "convnet"
    response = model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus(status, timeout=60)
    assert (version, 30) in {(each.version, each.state) for each in response.model_version_status}

    status.model_spec.name = "nobody"
    with pytest.raises(grpc.RpcError) as caught:
        model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus(status, timeout=60)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_our_definitions_are_a_part_of_theirs() -> None:
    """Both are in this process, as they are when the service runs TensorFlow: their messages have the same names."""
    from google.protobuf import descriptor_pool  # noqa: PLC0415
    from tensorflow.core.protobuf import error_codes_pb2  # noqa: PLC0415
    from tensorflow_serving.apis import model_service_pb2, prediction_service_pb2  # noqa: PLC0415

    assert model_service_pb2.DESCRIPTOR
    assert prediction_service_pb2.DESCRIPTOR
    theirs = descriptor_pool.Default()
    for module in (tensorflow_pb2, tensorflow_serving_pb2):
        for name, message in module.DESCRIPTOR.message_types_by_name.items():
            assert fields(message).items() <= fields(theirs.FindMessageTypeByName(message.full_name)).items(), name
    for name, enum in tensorflow_pb2.DESCRIPTOR.enum_types_by_name.items():
        assert values(enum).items() <= values(theirs.FindEnumTypeByName(enum.full_name)).items(), name
    assert dict(tensorflow_error_pb2.Code.items()).items() <= dict(error_codes_pb2.Code.items()).items()


def fields(message: Descriptor) -> dict[str, Any]:
    return {field.name: _describe(field) for field in message.fields}


def _describe(field: FieldDescriptor) -> tuple[Any, ...]:
    kind = field.message_type or field.enum_type
    oneof = field.containing_oneof and field.containing_oneof.name
    return field.number, field.type, field.is_repeated, kind and kind.full_name, oneof


def values(enum: EnumDescriptor) -> dict[str, int]:
    return {value.name: value.number for value in enum.values}
