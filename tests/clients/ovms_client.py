"""Call a running service with ovmsclient, over gRPC and over HTTP: `ovms_client.py URL PICTURE PORT`."""

import sys
from pathlib import Path

import numpy as np
import ovmsclient
from ovmsclient import InvalidInputError, ModelNotFoundError


def ask(client: object, picture: bytes) -> None:
    images = np.zeros((3, 28, 28), np.uint8)
    images[:, 4:24, 13:16] = 255
    status = client.get_model_status("convnet")
    [version] = [number for number, each in status.items() if each["state"] == "AVAILABLE"]
    assert client.get_model_status("convnet", version)[version]["error_code"] in {0, "OK"}
    for values in (images, images.astype(np.int64), images / 255, (images / 255).astype(np.float32), images.tolist()):
        for number in (0, version):
            found = client.predict({"images": values}, "convnet", number)
            assert found["probabilities"].shape == found["logits"].shape == (3, 10)
            assert found["probabilities"].argmax(axis=1).tolist() == [1, 1, 1]
    assert client.predict({"image": [picture]}, "convnet")["probabilities"].argmax() == 7
    refuse(ModelNotFoundError, "nobody", lambda: client.predict({"images": images}, "nobody"))
    refuse(ModelNotFoundError, "99", lambda: client.get_model_status("convnet", 99))
    refuse(InvalidInputError, "Missing named input", lambda: client.predict({"pixels": images}, "convnet"))


def ask_metadata(client: object) -> None:
    """Over HTTP, the client understands only the names of OpenVINO Model Server's JSON."""
    metadata = client.get_model_metadata("convnet")
    assert metadata["inputs"]["images"]["shape"] == [-1, 28, 28]
    assert metadata["outputs"]["probabilities"]["shape"] == [-1, 10]
    assert metadata["model_version"] > 0


def refuse(kind: type[Exception], words: str, ask: object) -> None:
    try:
        ask()
    except kind as error:
        assert words in str(error), error  # noqa: PT017 - there is no pytest in this environment
    else:
        raise AssertionError(words)


if __name__ == "__main__":
    file = Path(sys.argv[2]).read_bytes()
    grpc_client = ovmsclient.make_grpc_client(f"127.0.0.1:{sys.argv[3]}")
    ask(grpc_client, file)
    ask_metadata(grpc_client)
    ask(ovmsclient.make_http_client(sys.argv[1].removeprefix("http://")), file)
