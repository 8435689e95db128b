"""Call a running service with the Python client of OpenAPI Generator: `openapi_generator.py URL PICTURE TOKEN`."""

import sys
from pathlib import Path

from openapi_client import (
    ApiClient,
    Configuration,
    Correction,
    CorrectionLabel,
    ExplainApi,
    FeedbackApi,
    InferenceRequest,
    ModelsApi,
    OpenInferenceProtocolApi,
    Predict,
    PredictApi,
    Prediction,
    Problem,
    ReadApi,
    RequestInput,
    TensorFlowServingApi,
)
from openapi_client.exceptions import ApiException

BLANK = b"P5 28 28 255\n" + bytes([255]) * 784


def ask(client: ApiClient, picture: bytes) -> None:
    api = PredictApi(client)
    answer = api.predict(picture)
    assert (answer.digit, answer.model, answer.abstained, answer.reason, answer.seen) == (
        7,
        "convnet",
        False,
        None,
        None,
    )
    answer = api.predict(("seven.png", picture), model="softmax", seen=True)
    assert (answer.digit, answer.model) == (7, "softmax")
    assert answer.seen.startswith("data:image/png;base64,")
    answer = api.predict(BLANK)
    assert (answer.abstained, answer.reason) == (True, "blank")
    first, second = (each.actual_instance for each in api.predict_batch([picture, b"none"]).predictions)
    assert isinstance(first, Prediction)
    assert isinstance(second, Problem)
    assert (first.digit, second.status) == (7, 415)
    reading = ReadApi(client).read(picture)
    assert (reading.text, len(reading.lines[0].digits[0].box)) == ("7", 4)
    readings = ReadApi(client).read_batch([picture, BLANK]).readings
    assert [each.actual_instance.text for each in readings] == ["7", ""]
    for label in (7, "not_a_digit"):
        correction = Correction(prediction_id=first.prediction_id, label=CorrectionLabel(label))
        assert FeedbackApi(client).correct(correction).label == str(label)
    assert {model.name for model in ModelsApi(client).list_models().models} >= {"convnet", "softmax"}
    assert len(ExplainApi(client).weights("softmax").weights) == 10


def ask_protocols(client: ApiClient) -> None:
    tensor = RequestInput(name="images", shape=[1, 28, 28], datatype="UINT8", data=[0] * 784)
    answer = OpenInferenceProtocolApi(client).v2_infer("convnet", InferenceRequest(inputs=[tensor]))
    assert [output.name for output in answer.outputs] == ["probabilities", "logits"]
    answer = TensorFlowServingApi(client).v1_predict("convnet", Predict(instances=[[[0] * 28] * 28]))
    assert len(answer.predictions[0]["probabilities"]) == 10


def ask_in_vain(url: str, client: ApiClient, picture: bytes) -> None:
    problem = refused(lambda: PredictApi(client).predict(picture, version=99))
    assert (problem.status, problem.type) == (404, "urn:digitserve:problem:unknown-version")
    assert refused(lambda: ReadApi(client).read(picture[:100])).status == 422
    assert refused(lambda: PredictApi(ApiClient(Configuration(host=url))).predict(picture)).status == 401


def refused(request: object) -> Problem:
    try:
        request()
    except ApiException as error:
        assert isinstance(error.data, Problem), error  # noqa: PT017 - there is no pytest in this environment
        assert error.data.request_id == error.headers["x-request-id"]  # noqa: PT017
        return error.data
    raise AssertionError


if __name__ == "__main__":
    url, path, token = sys.argv[1:]
    data = Path(path).read_bytes()
    with ApiClient(Configuration(host=url, access_token=token)) as client:
        ask(client, data)
        ask_protocols(client)
        ask_in_vain(url, client, data)
