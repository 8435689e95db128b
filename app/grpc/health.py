"""`grpc.health.v1.Health`: tells load balancers and Kubernetes whether the service is ready."""

import asyncio
from collections.abc import AsyncIterator, Collection

import grpc
from grpc_health.v1 import health_pb2 as messages

from app.grpc.calls import Context
from app.model_repository.catalogue import ModelCatalogue

SERVICE = messages.DESCRIPTOR.services_by_name["Health"]
WATCH_SECONDS = 0.5
"""The interval in which a watched status is compared with the last one that was sent."""


class HealthServicer:
    """Answers for the service as a whole, whose name is empty, and for each of its services alike."""

    def __init__(self, catalogue: ModelCatalogue, services: Collection[str]) -> None:
        self._catalogue = catalogue
        self._services = {"", *services}

    def handler(self) -> grpc.GenericRpcHandler:
        """Create the handler. Calls are not logged or counted: load balancers repeat them every few seconds."""
        parse, write = messages.HealthCheckRequest.FromString, messages.HealthCheckResponse.SerializeToString
        handlers = {
            "Check": grpc.unary_unary_rpc_method_handler(self.check, parse, write),
            "Watch": grpc.unary_stream_rpc_method_handler(self.watch, parse, write),
        }
        return grpc.method_handlers_generic_handler(SERVICE.full_name, handlers)

    async def check(self, request: messages.HealthCheckRequest, context: Context) -> messages.HealthCheckResponse:
        """Return whether all required models are ready, and the service is not about to stop."""
        if request.service not in self._services:
            names = ", ".join(sorted(self._services - {""}))
            detail = f"There is no service '{request.service:.80}'. Leave the name empty, or take one of {names}."
            await context.abort(grpc.StatusCode.NOT_FOUND, detail)
        return self._response()

    async def watch(
        self, request: messages.HealthCheckRequest, _: Context
    ) -> AsyncIterator[messages.HealthCheckResponse]:
        """Send the status at once, and again whenever it has changed."""
        unknown = messages.HealthCheckResponse(status=messages.HealthCheckResponse.SERVICE_UNKNOWN)
        sent = None
        while True:
            response = self._response() if request.service in self._services else unknown
            if response != sent:
                yield response
                sent = response
            await asyncio.sleep(WATCH_SECONDS)

    def _response(self) -> messages.HealthCheckResponse:
        is_ready = not self._catalogue.not_ready_reasons()
        status = messages.HealthCheckResponse.SERVING if is_ready else messages.HealthCheckResponse.NOT_SERVING
        return messages.HealthCheckResponse(status=status)
