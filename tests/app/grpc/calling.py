"""Clients for the services, from their definitions."""

import grpc
import pytest
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass


class Stub:
    """Calls the methods of a service by their names, with the members of the request message."""

    def __init__(self, channel: grpc.aio.Channel, service: ServiceDescriptor) -> None:
        self._channel = channel
        self._service = service

    async def __call__(
        self, method_name: str, /, *, metadata: object = None, seconds: float = 30, **members: object
    ) -> Message:
        method = self._service.methods_by_name[method_name]
        request = GetMessageClass(method.input_type)(**members)
        call = self._channel.unary_unary(
            f"/{self._service.full_name}/{method_name}",
            type(request).SerializeToString,
            GetMessageClass(method.output_type).FromString,
        )
        return await call(request, metadata=metadata, timeout=seconds)

    async def refused(self, code: str, words: str, method_name: str, /, **members: object) -> None:
        """Call a method, and expect an error."""
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self(method_name, **members)
        assert caught.value.code() is grpc.StatusCode[code], caught.value
        assert words in (caught.value.details() or ""), caught.value
