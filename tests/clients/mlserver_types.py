"""Validate the answers of a running service with MLServer's types: `mlserver_types.py URL PICTURE`."""

import sys
from pathlib import Path

import httpx
from mlserver import types
from mlserver.codecs import NumpyCodec


def ask(url: str, picture: bytes) -> None:
    with httpx.Client(base_url=url) as client:

        def get(path: str) -> bytes:
            response = client.get(path)
            response.raise_for_status()
            return response.content

        types.MetadataServerResponse.model_validate_json(get("/v2"))
        version = max(client.get("/v2/models/convnet").json()["versions"], key=int)
        for model in ("convnet", f"convnet/versions/{version}", "softmax"):
            metadata = types.MetadataModelResponse.model_validate_json(get(f"/v2/models/{model}"))
            assert [tensor.name for tensor in metadata.outputs] == ["probabilities", "logits"]
        index = types.RepositoryIndexResponse.model_validate_json(client.post("/v2/repository/index").content)
        assert types.State.READY.value in {entry.state for entry in index}
        asked = types.InferenceRequest(
            id="42",
            inputs=[types.RequestInput(name="images", shape=[1, 28, 28], datatype="UINT8", data=[0] * 784)],
        )
        body = asked.model_dump_json(exclude_none=True)
        answer = types.InferenceResponse.model_validate_json(
            client.post("/v2/models/convnet/infer", content=body).content
        )
        assert (answer.id, answer.model_version) == ("42", version)
        assert NumpyCodec.decode_output(answer.outputs[0]).shape == (1, 10)
        raw = {"Inference-Header-Content-Length": "0"}
        answer = types.InferenceResponse.model_validate_json(
            client.post("/v2/models/convnet/infer", content=picture, headers=raw).content
        )
        assert NumpyCodec.decode_output(answer.outputs[0]).argmax() == 7
        refusal = client.post("/v2/models/convnet/infer", content=b"{}")
        assert refusal.status_code == 400
        types.InferenceErrorResponse.model_validate_json(refusal.content)
        types.MetadataModelErrorResponse.model_validate_json(client.get("/v2/models/nobody").content)
        types.RepositoryLoadErrorResponse.model_validate_json(client.post("/v2/repository/models/nobody/load").content)


if __name__ == "__main__":
    ask(sys.argv[1], Path(sys.argv[2]).read_bytes())
