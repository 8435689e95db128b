"""Call a running service with KServe's gRPC client: `kserve_grpc_client.py URL PICTURE PORT`."""

import asyncio
import sys
from pathlib import Path

import grpc
import numpy as np
from kserve import InferenceGRPCClient, InferInput, InferRequest


async def ask(address: str, picture: bytes) -> None:
    images = np.zeros((3, 28, 28), np.uint8)
    images[:, 4:24, 13:16] = 255
    async with InferenceGRPCClient(address) as client:
        assert await client.is_server_live() is True
        assert await client.is_server_ready() is True
        assert await client.is_model_ready("convnet") is True
        assert await client.is_model_ready("nobody") is False
        for binary in (True, False):
            for datatype, values in (("UINT8", images), ("FP32", (images / 255).astype(np.float32))):
                tensor = InferInput("images", list(images.shape), datatype)
                tensor.set_data_from_numpy(values, binary_data=binary)
                answer = await client.infer(InferRequest("convnet", [tensor], request_id="42"))
                assert (answer.id, answer.model_name) == ("42", "convnet")
                found = {output.name: output.as_numpy() for output in answer.outputs}
                assert found["probabilities"].argmax(axis=1).tolist() == [1, 1, 1]
                assert found["logits"].shape == (3, 10)
        tensor = InferInput("image", [1], "BYTES")
        tensor.set_data_from_numpy(np.array([picture], dtype=np.object_), binary_data=True)
        answer = await client.infer(InferRequest("convnet", [tensor]))
        assert answer.outputs[0].as_numpy().argmax() == 7
        wrong = InferInput("images", [1], "INT64", data=[1])
        await refuse("INVALID_ARGUMENT", "UINT8", client.infer(InferRequest("convnet", [wrong])))
        await refuse("NOT_FOUND", "nobody", client.infer(InferRequest("nobody", [wrong])))


async def refuse(code: str, words: str, asked: object) -> None:
    try:
        await asked
    except grpc.RpcError as error:
        assert error.code() is grpc.StatusCode[code], error  # noqa: PT017 - there is no pytest in this environment
        assert words in error.details(), error  # noqa: PT017
    else:
        raise AssertionError(words)


if __name__ == "__main__":
    asyncio.run(ask(f"127.0.0.1:{sys.argv[3]}", Path(sys.argv[2]).read_bytes()))
