"""Check the health of a running service, as a load balancer does: `health_probe.py URL PICTURE PORT`."""

import sys

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

SERVICES = [
    "",
    "inference.GRPCInferenceService",
    "tensorflow.serving.PredictionService",
    "tensorflow.serving.ModelService",
]


def probe(address: str) -> None:
    with grpc.insecure_channel(address) as channel:
        stub = HealthStub(channel)
        for service in SERVICES:
            assert stub.Check(HealthCheckRequest(service=service)).status == HealthCheckResponse.SERVING
            watched = stub.Watch(HealthCheckRequest(service=service))
            assert next(watched).status == HealthCheckResponse.SERVING
            watched.cancel()
        assert next(stub.Watch(HealthCheckRequest(service="x"))).status == HealthCheckResponse.SERVICE_UNKNOWN
        try:
            stub.Check(HealthCheckRequest(service="x"))
        except grpc.RpcError as error:
            assert error.code() is grpc.StatusCode.NOT_FOUND  # noqa: PT017 - there is no pytest in this environment
        else:
            raise AssertionError


if __name__ == "__main__":
    probe(f"127.0.0.1:{sys.argv[3]}")
