"""Call a running service with tritonclient, with and without asyncio: `triton_client.py URL PICTURE`."""

import asyncio
import sys
from pathlib import Path

import numpy as np
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from tritonclient.utils import InferenceServerException

CHOICES = [
    {"binary": binary, "compression": compression}
    for binary in (True, False)
    for compression in (None, "gzip", "deflate")
]


def draw_one() -> np.ndarray:
    """Draw five 1s, in MNIST's form: uint8 [5, 28, 28]."""
    images = np.zeros((5, 28, 28), np.uint8)
    images[:, 4:24, 13:16] = 255
    return images


def tensor(images: np.ndarray, datatype: str, *, binary: bool) -> triton.InferInput:
    found = triton.InferInput("images", images.shape, datatype)
    found.set_data_from_numpy(images, binary_data=binary)
    return found


def picture_tensor(files: list[bytes]) -> triton.InferInput:
    found = triton.InferInput("image", [len(files)], "BYTES")
    found.set_data_from_numpy(np.array(files, dtype=np.object_))
    return found


def assert_ones(result: triton.InferResult) -> None:
    probabilities, logits = result.as_numpy("probabilities"), result.as_numpy("logits")
    assert probabilities.shape == logits.shape == (5, 10)
    assert probabilities.argmax(axis=1).tolist() == [1] * 5
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-4)


def assert_classes(result: triton.InferResult, digit: str) -> None:
    for row in result.as_numpy("probabilities"):
        texts = [text.decode() if isinstance(text, bytes) else text for text in row]  # out of JSON they are strings
        values = [float(text.split(":")[0]) for text in texts]
        assert values == sorted(values, reverse=True)
        assert texts[0].split(":")[1:] == [digit, digit]


def refuse(words: str, ask: object) -> None:
    try:
        ask()
    except InferenceServerException as error:
        assert words in error.message(), error  # noqa: PT017 - there is no pytest in this environment
    else:
        raise AssertionError(words)


def outputs(*, binary: bool) -> list[triton.InferRequestedOutput]:
    return [triton.InferRequestedOutput(name, binary_data=binary) for name in ("logits", "probabilities")]


def ask_in_turn(address: str, picture: bytes) -> None:
    images = draw_one()
    with triton.InferenceServerClient(address) as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("convnet")
        version = max(client.get_model_metadata("convnet")["versions"], key=int)
        assert client.is_model_ready("convnet", version)
        assert client.is_model_ready("convnet", "-1")
        assert not client.is_model_ready("nobody")
        assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
        assert client.get_model_metadata("convnet")["inputs"][0]["name"] == "images"
        assert client.get_model_config("convnet")["input"][0]["data_type"] == "TYPE_UINT8"
        for choice in CHOICES:
            for datatype, values in (("UINT8", images), ("FP32", (images / 255).astype(np.float32))):
                result = client.infer(
                    "convnet",
                    [tensor(values, datatype, binary=choice["binary"])],
                    outputs=outputs(binary=choice["binary"]),
                    request_id="42",
                    request_compression_algorithm=choice["compression"],
                    response_compression_algorithm=choice["compression"],
                )
                assert_ones(result)
                assert result.get_response()["id"] == "42"
        assert_ones(client.infer("convnet", [tensor(images, "UINT8", binary=True)]))
        assert_ones(client.infer("convnet", [tensor(images, "UINT8", binary=False)], model_version=version))
        assert_ones(client.async_infer("convnet", [tensor(images, "UINT8", binary=True)]).get_result())
        for binary in (True, False):
            best = [triton.InferRequestedOutput("probabilities", binary_data=binary, class_count=3)]
            assert_classes(client.infer("convnet", [tensor(images, "UINT8", binary=binary)], outputs=best), "1")
            assert_classes(client.infer("convnet", [picture_tensor([picture, picture])], outputs=best), "7")
        refuse("nobody", lambda: client.get_model_metadata("nobody"))
        refuse("[n, 28, 28]", lambda: client.infer("convnet", [tensor(images[:, 1:], "UINT8", binary=True)]))
        administer(client)


def administer(client: triton.InferenceServerClient) -> None:
    states = {(entry["name"], entry["state"]) for entry in client.get_model_repository_index()}
    assert {("convnet", "READY"), ("softmax", "READY")} <= states
    client.unload_model("softmax")
    assert not client.is_model_ready("softmax")
    refuse("unloaded", lambda: client.get_model_metadata("softmax"))
    client.load_model("softmax")
    assert client.is_model_ready("softmax")
    refuse("nobody", lambda: client.load_model("nobody"))
    [statistics] = client.get_inference_statistics("convnet")["model_stats"]
    for stage in ("success", "queue", "compute_input", "compute_infer", "compute_output"):
        assert statistics["inference_stats"][stage]["count"] > 10
    assert sum(batch["compute_infer"]["count"] for batch in statistics["batch_stats"]) == statistics["execution_count"]
    assert client.get_inference_statistics()["model_stats"]


async def ask_at_once(address: str, picture: bytes) -> None:
    images = draw_one()
    async with triton_aio.InferenceServerClient(address) as client:
        assert await client.is_server_live()
        assert await client.is_server_ready()
        assert await client.is_model_ready("convnet")
        assert (await client.get_server_metadata())["name"] == "digitserve"
        assert (await client.get_model_metadata("convnet"))["platform"]
        assert (await client.get_model_config("convnet"))["name"] == "convnet"
        results = await asyncio.gather(
            *(
                client.infer(
                    "convnet",
                    [tensor(images, "UINT8", binary=choice["binary"])],
                    outputs=outputs(binary=choice["binary"]),
                    request_compression_algorithm=choice["compression"],
                )
                for choice in CHOICES
            )
        )
        for result in results:
            assert_ones(result)
        assert_ones(await client.infer("convnet", [tensor(images, "UINT8", binary=True)]))
        best = [triton.InferRequestedOutput("probabilities", class_count=2)]
        assert_classes(await client.infer("convnet", [picture_tensor([picture])], outputs=best), "7")
        await client.unload_model("softmax")
        assert not await client.is_model_ready("softmax")
        await client.load_model("softmax")
        assert await client.is_model_ready("softmax")
        assert await client.get_model_repository_index()
        assert (await client.get_inference_statistics())["model_stats"]
        try:
            await client.infer("nobody", [tensor(images, "UINT8", binary=True)])
        except InferenceServerException as error:
            assert "nobody" in error.message()  # noqa: PT017 - there is no pytest in this environment
        else:
            raise AssertionError


if __name__ == "__main__":
    address = sys.argv[1].removeprefix("http://")
    data = Path(sys.argv[2]).read_bytes()
    ask_in_turn(address, data)
    asyncio.run(ask_at_once(address, data))
