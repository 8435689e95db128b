"""Call a running service with the client of openapi-python-client: `openapi_python_client.py URL PICTURE TOKEN`."""

import asyncio
import sys
from io import BytesIO
from pathlib import Path

from digitserve_client import AuthenticatedClient, Client
from digitserve_client.api.explain import weights
from digitserve_client.api.feedback import correct
from digitserve_client.api.models import list_models, metrics
from digitserve_client.api.open_inference_protocol import v2_infer, v2_model_metadata
from digitserve_client.api.predict import predict, predict_batch
from digitserve_client.api.read import read, read_batch
from digitserve_client.api.tensor_flow_serving import v1_classify, v1_predict
from digitserve_client.models import (
    Classify,
    Correction,
    InferenceRequest,
    PictureForm,
    PicturesForm,
    Predict,
    Prediction,
    Problem,
    ProtocolError,
    Reading,
    RequestInput,
    RequestInputDatatype,
    RequestInputName,
)
from digitserve_client.types import File

BLANK = b"P5 28 28 255\n" + bytes([255]) * 784


def file(data: bytes) -> File:
    return File(payload=BytesIO(data), file_name="picture")


def ask(client: AuthenticatedClient, picture: bytes) -> None:
    answer = predict.sync(client=client, body=file(picture))
    assert isinstance(answer, Prediction)
    assert (answer.digit, answer.model, answer.abstained, answer.reason, answer.seen) == (
        7,
        "convnet",
        False,
        None,
        None,
    )
    answer = predict.sync(client=client, body=PictureForm(file=file(picture), model="softmax", seen=True))
    assert isinstance(answer, Prediction)
    assert (answer.digit, answer.model) == (7, "softmax")
    assert str(answer.seen).startswith("data:image/png;base64,")
    answer = predict.sync(client=client, body=file(BLANK), model="softmax", seen=True)
    assert isinstance(answer, Prediction)
    assert (answer.abstained, answer.reason.value, answer.model) == (True, "blank", "softmax")
    batch = predict_batch.sync(client=client, body=PicturesForm(file=[file(picture), file(b"none")]), seen=True)
    first, second = batch.predictions
    assert isinstance(first, Prediction)
    assert isinstance(second, Problem)
    assert (first.digit, second.status, second.request_id != "") == (7, 415, True)
    for body in (file(picture), PictureForm(file=file(picture))):
        reading = read.sync(client=client, body=body)
        assert isinstance(reading, Reading)
        assert (reading.text, len(reading.lines[0].digits[0].box)) == ("7", 4)
    readings = read_batch.sync(client=client, body=PicturesForm(file=[file(picture), file(BLANK)])).readings
    assert [each.text for each in readings] == ["7", ""]
    identifier = first.prediction_id
    assert correct.sync(client=client, body=Correction(prediction_id=identifier, label=7)).label == "7"
    assert correct.sync(client=client, body=Correction(prediction_id=identifier, label="not_a_digit")).new is True
    assert {model.name for model in list_models.sync(client=client).models} >= {"convnet", "softmax"}
    assert metrics.sync(client=client).models["softmax"].architecture
    assert len(weights.sync("softmax", client=client).weights) == 10


def ask_protocols(client: AuthenticatedClient) -> None:
    tensor = RequestInput(RequestInputName.IMAGES, [1, 28, 28], RequestInputDatatype.UINT8, data=[0] * 784)
    answer = v2_infer.sync("convnet", client=client, body=InferenceRequest(inputs=[tensor]))
    assert [(output.name, len(output.data)) for output in answer.outputs] == [("probabilities", 10), ("logits", 10)]
    assert v2_model_metadata.sync("convnet", client=client).inputs[0].name == "images"
    assert isinstance(v2_model_metadata.sync("nobody", client=client), ProtocolError)
    image = [[0] * 28] * 28
    answer = v1_predict.sync("convnet", client=client, body=Predict(instances=[image]))
    assert len(answer.predictions[0]["probabilities"]) == 10
    example = Classify.from_dict({"examples": [{"images": image}]})
    assert len(v1_classify.sync("convnet", client=client, body=example).results[0]) == 10


def ask_in_vain(url: str, client: AuthenticatedClient, picture: bytes) -> None:
    response = predict.sync_detailed(client=client, body=file(picture), version=99)
    assert response.status_code == 404
    assert isinstance(response.parsed, Problem)
    assert response.parsed.type_ == "urn:digitserve:problem:unknown-version"
    assert response.parsed.request_id == response.headers["x-request-id"]
    for body, status in ((file(b"none"), 415), (file(picture[:100]), 422), (file(b""), 400)):
        problem = read.sync(client=client, body=body)
        assert isinstance(problem, Problem)
        assert problem.status == status
    problem = predict.sync(client=Client(base_url=url), body=file(picture))
    assert (problem.status, problem.title) == (401, "A token is required")


async def ask_at_once(client: AuthenticatedClient, picture: bytes) -> None:
    # As forms: httpx refuses to send the file itself from an AsyncClient.
    bodies = [PictureForm(file=file(picture)) for _ in range(3)]
    answers = await asyncio.gather(*(predict.asyncio(client=client, body=body) for body in bodies))
    assert [answer.digit for answer in answers] == [7, 7, 7]


if __name__ == "__main__":
    url, path, token = sys.argv[1:]
    data = Path(path).read_bytes()
    client = AuthenticatedClient(base_url=url, token=token)
    ask(client, data)
    ask_protocols(client)
    ask_in_vain(url, client, data)
    asyncio.run(ask_at_once(client, data))
