"""Call a running service with KServe's REST client, in both protocols: `kserve_client.py URL PICTURE`."""

import asyncio
import base64
import sys
from pathlib import Path

import httpx
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig


async def ask_v2(url: str, picture: bytes) -> None:
    images = np.zeros((3, 28, 28), np.uint8)
    images[:, 4:24, 13:16] = 255
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    assert await client.is_server_live(url) is True
    assert await client.is_server_ready(url) is True
    assert await client.is_model_ready(url, "convnet") is True
    assert await client.is_model_ready(url, "nobody") is False
    for binary in (True, False):
        for datatype, values in (("UINT8", images), ("FP32", (images / 255).astype(np.float32))):
            tensor = InferInput("images", list(images.shape), datatype)
            tensor.set_data_from_numpy(values, binary_data=binary)
            parameters = {"binary_data_output": binary}
            request = InferRequest("convnet", [tensor], request_id="42", parameters=parameters)
            answer = await client.infer(url, request, model_name="convnet")
            assert (answer.id, answer.model_name) == ("42", "convnet")
            found = {output.name: output.as_numpy() for output in answer.outputs}
            assert found["probabilities"].argmax(axis=1).tolist() == [1, 1, 1]
            assert found["logits"].shape == (3, 10)
    tensor = InferInput("image", [1], "BYTES")
    tensor.set_data_from_numpy(np.array([picture], dtype=np.object_), binary_data=True)
    answer = await client.infer(url, InferRequest("convnet", [tensor]), model_name="convnet")
    assert answer.outputs[0].as_numpy().argmax() == 7
    await refuse("UINT8", client.infer(url, {"inputs": [wrong()]}, model_name="convnet"))
    await refuse("nobody", client.infer(url, {"inputs": [wrong()]}, model_name="nobody"))
    await client.close()


def wrong() -> dict[str, object]:
    return {"name": "images", "shape": [1], "datatype": "INT64", "data": [1]}


async def refuse(words: str, asked: object) -> None:
    try:
        await asked
    except httpx.HTTPStatusError as error:
        assert words in str(error), error  # noqa: PT017 - there is no pytest in this environment
    else:
        raise AssertionError(words)


async def ask_v1(url: str, picture: bytes) -> None:
    client = InferenceRESTClient(RESTConfig(protocol="v1"))
    file = {"b64": base64.b64encode(picture).decode()}
    answer = await client.infer(url, {"instances": [{"image": file}]}, model_name="convnet")
    assert np.argmax(answer["predictions"][0]["probabilities"]) == 7
    vector = {"signature_name": "predict_images", "instances": [[0.5] * 784]}
    assert len((await client.infer(url, vector, model_name="softmax"))["predictions"][0]) == 10
    await refuse("Servable not found", client.infer(url, vector, model_name="nobody"))
    await client.close()


if __name__ == "__main__":
    data = Path(sys.argv[2]).read_bytes()
    asyncio.run(ask_v2(sys.argv[1], data))
    asyncio.run(ask_v1(sys.argv[1], data))
