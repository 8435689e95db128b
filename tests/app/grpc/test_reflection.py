import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse

pytestmark = pytest.mark.anyio

SERVICES = {
    "inference.GRPCInferenceService",
    "tensorflow.serving.PredictionService",
    "tensorflow.serving.ModelService",
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
}


async def ask(channel: grpc.aio.Channel, version: str, **members: object) -> ServerReflectionResponse:
    call = channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        ServerReflectionRequest.SerializeToString,
        ServerReflectionResponse.FromString,
    )()
    await call.write(ServerReflectionRequest(**members))
    response: ServerReflectionResponse = await call.read()
    await call.done_writing()
    return response


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_all_services_and_their_definitions_are_found(channel: grpc.aio.Channel, version: str) -> None:
    listed = (await ask(channel, version, list_services="")).list_services_response
    assert {service.name for service in listed.service} == SERVICES
    for name in SERVICES:
        response = await ask(channel, version, file_containing_symbol=name)
        files = map(FileDescriptorProto.FromString, response.file_descriptor_response.file_descriptor_proto)
        assert name in {f"{file.package}.{service.name}" for file in files for service in file.service}


async def test_an_unknown_symbol_is_not_found(channel: grpc.aio.Channel) -> None:
    assert (await ask(channel, "v1", file_containing_symbol="x.Y")).error_response.error_code == 5
