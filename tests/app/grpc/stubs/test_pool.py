from google.protobuf import descriptor_pool

from app.grpc.stubs import inference_pb2, tensorflow_error_pb2, tensorflow_pb2, tensorflow_serving_pb2
from app.grpc.stubs.pool import POOL


def test_the_messages_are_in_a_pool_of_their_own() -> None:
    for module in (inference_pb2, tensorflow_error_pb2, tensorflow_pb2, tensorflow_serving_pb2):
        assert module.DESCRIPTOR.pool is POOL
    assert POOL is not descriptor_pool.Default()
