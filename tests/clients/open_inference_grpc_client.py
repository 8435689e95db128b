"""Call a running service with the working group's client: `open_inference_grpc_client.py URL PICTURE PORT`."""

import sys
from pathlib import Path

import grpc
import numpy as np
from open_inference.grpc import protocol
from open_inference.grpc.service import GRPCInferenceServiceStub


def ask(address: str, picture: bytes) -> None:
    images = np.zeros((2, 28, 28), np.uint8)
    images[:, 4:24, 13:16] = 255
    with grpc.insecure_channel(address) as channel:
        stub = GRPCInferenceServiceStub(channel)
        assert stub.ServerLive(protocol.ServerLiveRequest()).live
        assert stub.ServerReady(protocol.ServerReadyRequest()).ready
        assert stub.ModelReady(protocol.ModelReadyRequest(name="convnet")).ready
        assert stub.ServerMetadata(protocol.ServerMetadataRequest()).name == "digitserve"
        metadata = stub.ModelMetadata(protocol.ModelMetadataRequest(name="convnet"))
        assert [tensor.name for tensor in metadata.outputs] == ["probabilities", "logits"]
        contents = [
            ("images", "UINT8", [2, 28, 28], {"uint_contents": images.ravel().tolist()}, 1),
            ("images", "FP32", [2, 28, 28], {"fp32_contents": (images / 255).ravel().tolist()}, 1),
            ("image", "BYTES", [2], {"bytes_contents": [picture, picture]}, 7),
        ]
        for name, datatype, shape, data, digit in contents:
            tensor = {"name": name, "datatype": datatype, "shape": shape, "contents": data}
            response = stub.ModelInfer(protocol.ModelInferRequest(model_name="convnet", inputs=[tensor]))
            found = np.frombuffer(response.raw_output_contents[0], "<f4").reshape(response.outputs[0].shape)
            assert found.argmax(axis=1).tolist() == [digit, digit]


if __name__ == "__main__":
    ask(f"127.0.0.1:{sys.argv[3]}", Path(sys.argv[2]).read_bytes())
