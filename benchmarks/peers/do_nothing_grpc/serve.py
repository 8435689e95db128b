"""The reference for gRPC: a grpc.aio server that parses a request to infer and returns a constant."""  # noqa: INP001 - a program, run in its folder

import os

import grpc
import uvloop

from app.grpc.stubs.inference_pb2 import ModelInferRequest, ModelInferResponse

_OUTPUTS = [{"name": name, "datatype": "FP32", "shape": [1, 10]} for name in ("probabilities", "logits")]


async def infer(_: ModelInferRequest, __: grpc.aio.ServicerContext) -> ModelInferResponse:
    """Return a constant."""
    return ModelInferResponse(
        model_name="convnet", model_version="1", outputs=_OUTPUTS, raw_output_contents=[bytes(40), bytes(40)]
    )


async def serve() -> None:
    """Serve until a signal ends the process."""
    server = grpc.aio.server()
    method = grpc.unary_unary_rpc_method_handler(
        infer, ModelInferRequest.FromString, ModelInferResponse.SerializeToString
    )
    service = grpc.method_handlers_generic_handler("inference.GRPCInferenceService", {"ModelInfer": method})
    server.add_generic_rpc_handlers((service,))
    server.add_insecure_port(f"127.0.0.1:{os.environ['GRPC_PORT']}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(serve())
