"""Call a running service with tritonclient over gRPC: `triton_grpc_client.py URL PICTURE PORT`."""

import asyncio
import queue
import sys
from pathlib import Path

import numpy as np
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from tritonclient.utils import InferenceServerException


def draw_ones() -> np.ndarray:
    """Draw five 1s, in MNIST's form: uint8 [5, 28, 28]."""
    images = np.zeros((5, 28, 28), np.uint8)
    images[:, 4:24, 13:16] = 255
    return images


def tensor(images: np.ndarray, datatype: str = "UINT8") -> triton.InferInput:
    found = triton.InferInput("images", images.shape, datatype)
    found.set_data_from_numpy(images)
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


def refuse(code: str, words: str, ask: object) -> None:
    try:
        ask()
    except InferenceServerException as error:
        assert error.status() == f"StatusCode.{code}", error  # noqa: PT017 - there is no pytest in this environment
        assert words in error.message(), error  # noqa: PT017
    else:
        raise AssertionError(words)


def ask_in_turn(address: str, picture: bytes) -> None:
    images = draw_ones()
    with triton.InferenceServerClient(address) as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("convnet")
        assert not client.is_model_ready("nobody")
        metadata = client.get_model_metadata("convnet")
        version = max(metadata.versions, key=int)
        assert client.is_model_ready("convnet", version)
        assert (metadata.inputs[0].name, list(metadata.inputs[0].shape)) == ("images", [-1, 28, 28])
        assert "classification" in client.get_server_metadata().extensions
        config = client.get_model_config("convnet").config
        assert (config.max_batch_size, list(config.input[0].dims)) == (1024, [28, 28])
        for datatype, values in (("UINT8", images), ("FP32", (images / 255).astype(np.float32))):
            for compression in (None, "gzip", "deflate"):
                result = client.infer(
                    "convnet",
                    [tensor(values, datatype)],
                    model_version=version,
                    outputs=[triton.InferRequestedOutput(name) for name in ("logits", "probabilities")],
                    request_id="42",
                    compression_algorithm=compression,
                )
                assert_ones(result)
                assert (result.get_response().id, result.get_response().model_version) == ("42", version)
                assert [output.name for output in result.get_response().outputs] == ["logits", "probabilities"]
        best = [triton.InferRequestedOutput("probabilities", class_count=3)]
        found = client.infer("convnet", [picture_tensor([picture, picture])], outputs=best).as_numpy("probabilities")
        assert [text.split(b":")[1:] for text in found[:, 0]] == [[b"7", b"7"]] * 2
        assert found.shape == (2, 3)
        refuse("NOT_FOUND", "nobody", lambda: client.get_model_metadata("nobody"))
        refuse("NOT_FOUND", "no version 99", lambda: client.infer("convnet", [tensor(images)], model_version="99"))
        refuse("INVALID_ARGUMENT", "[n, 28, 28]", lambda: client.infer("convnet", [tensor(images[:, 1:])]))
        refuse("UNIMPLEMENTED", "Method not found", client.get_system_shared_memory_status)
        stream(client, images)
        administer(client)


def stream(client: triton.InferenceServerClient, images: np.ndarray) -> None:
    """Send three messages in one stream; the second has an error."""
    answers: queue.Queue = queue.Queue()
    client.start_stream(lambda result, error: answers.put((result, error)))
    for name in ("convnet", "nobody", "softmax"):
        client.async_stream_infer(name, [tensor(images)], enable_empty_final_response=True)
    found = [answers.get(timeout=30) for _ in range(3)]
    client.stop_stream()
    for result, error in (found[0], found[2]):
        assert error is None, error
        assert_ones(result)
        assert result.get_response().parameters["triton_final_response"].bool_param
    assert "no model 'nobody'" in found[1][1].message()


def administer(client: triton.InferenceServerClient) -> None:
    states = {(entry.name, entry.state) for entry in client.get_model_repository_index().models}
    assert {("convnet", "READY"), ("softmax", "READY")} <= states
    client.unload_model("softmax")
    assert not client.is_model_ready("softmax")
    refuse("UNAVAILABLE", "unloaded", lambda: client.get_model_metadata("softmax"))
    client.load_model("softmax")
    assert client.is_model_ready("softmax")
    refuse("NOT_FOUND", "nobody", lambda: client.load_model("nobody"))
    refuse("INVALID_ARGUMENT", "config", lambda: client.load_model("softmax", config="{}"))
    [statistics] = client.get_inference_statistics("convnet").model_stats
    for stage in ("success", "queue", "compute_input", "compute_infer", "compute_output"):
        assert getattr(statistics.inference_stats, stage).count > 5
    assert sum(batch.compute_infer.count for batch in statistics.batch_stats) == statistics.execution_count
    assert len(client.get_inference_statistics().model_stats) > 1


async def ask_at_once(address: str) -> None:
    images = draw_ones()
    async with triton_aio.InferenceServerClient(address) as client:
        assert await client.is_server_ready()
        results = await asyncio.gather(*(client.infer("convnet", [tensor(images)]) for _ in range(20)))
        for result in results:
            assert_ones(result)


if __name__ == "__main__":
    host = f"127.0.0.1:{sys.argv[3]}"
    ask_in_turn(host, Path(sys.argv[2]).read_bytes())
    asyncio.run(ask_at_once(host))
