"""`grpc.reflection`: tells clients such as grpcurl which services, methods and messages there are."""

from collections.abc import Iterable

import grpc
from google.protobuf import text_format
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.reflection import aio

from app.grpc.stubs.pool import POOL

_ALPHA, _STABLE = "grpc.reflection.v1alpha", "grpc.reflection.v1"


def reflection_handlers(services: Iterable[str]) -> list[grpc.GenericRpcHandler]:
    """Create the handlers of both versions of the service, whose messages have the same fields."""
    _register_definitions()
    names = [f"{package}.ServerReflection" for package in (_ALPHA, _STABLE)]
    servicer = aio.ReflectionServicer([*services, *names], pool=POOL)
    method = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        reflection_pb2.ServerReflectionRequest.FromString,
        reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    return [grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": method}) for name in names]


def _register_definitions() -> None:
    """Add the definitions of health checks and of reflection itself to those that reflection finds."""
    POOL.AddSerializedFile(health_pb2.DESCRIPTOR.serialized_pb)
    POOL.AddSerializedFile(reflection_pb2.DESCRIPTOR.serialized_pb)
    alpha = text_format.MessageToString(FileDescriptorProto.FromString(reflection_pb2.DESCRIPTOR.serialized_pb))
    stable = text_format.Parse(alpha.replace("v1alpha", "v1"), FileDescriptorProto())
    POOL.AddSerializedFile(stable.SerializeToString())
