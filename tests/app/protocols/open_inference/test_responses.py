import asyncio
import json
import struct

import numpy as np

from app.inference.scores import Scores
from app.model_repository.artefact import read_card
from app.model_repository.card import Card
from app.protocols.open_inference import responses
from app.protocols.open_inference.requests import ParsedOutput, ParsedRequest
from app.protocols.open_inference.responses import EncodedResponse, classify
from tests.conftest import newest

CARD = read_card(newest("softmax"))
RNG = np.random.default_rng(0)
SCORES = Scores(RNG.random((3, 10), np.float32), RNG.random((3, 10), np.float32))


def write_response(card: Card, request: ParsedRequest, scores: Scores) -> EncodedResponse:
    return asyncio.run(responses.write_response(card, request, scores))


def request(*outputs: ParsedOutput, id_: str | None = None) -> ParsedRequest:
    return ParsedRequest([], outputs, id_)


def test_a_json_tensor_is_flat_and_exact() -> None:
    body, length = write_response(CARD, request(ParsedOutput("logits"), id_="42"), SCORES)
    response = json.loads(body)
    assert length is None
    assert {key: value for key, value in response.items() if key != "outputs"} == {
        "model_name": "softmax",
        "model_version": str(CARD.version),
        "id": "42",
    }
    [output] = response["outputs"]
    assert (output["name"], output["shape"], output["datatype"]) == ("logits", [3, 10], "FP32")
    assert (np.array(output["data"], np.float32).reshape(3, 10) == SCORES.logits).all()


def test_binary_outputs_follow_the_json_and_others_are_in_it() -> None:
    outputs = (ParsedOutput("logits", binary=True), ParsedOutput("probabilities"))
    body, length = write_response(CARD, request(*outputs), SCORES)
    assert length is not None
    logits, probabilities = json.loads(body[:length])["outputs"]
    assert logits["parameters"] == {"binary_data_size": len(body) - length}
    assert "data" not in logits
    assert (np.frombuffer(body[length:], "<f4").reshape(3, 10) == SCORES.logits).all()
    assert len(probabilities["data"]) == 30
    assert "id" not in json.loads(body[:length])


def test_classes_are_strings_in_json_and_a_bytes_tensor_behind_it() -> None:
    [output] = json.loads(write_response(CARD, request(ParsedOutput("logits", classes=2)), SCORES).body)["outputs"]
    assert (output["datatype"], output["shape"], len(output["data"])) == ("BYTES", [3, 2], 6)
    body, length = write_response(CARD, request(ParsedOutput("logits", binary=True, classes=2)), SCORES)
    assert length is not None
    first = struct.unpack_from("<I", body, length)[0]
    assert body[length + 4 : length + 4 + first].decode() == output["data"][0]


def test_the_best_classes_come_first() -> None:
    values = np.array([[0.1, 0.7, 0.2, *[0] * 7]], np.float32)
    assert classify(values, 2) == [["0.700000:1:1", "0.200000:2:2"]]
    assert len(classify(values, 99)[0]) == 10


def test_the_scores_of_thousands_of_images_are_written_as_those_of_a_few() -> None:
    many = Scores(np.tile(SCORES.probabilities, (700, 1)), np.tile(SCORES.logits, (700, 1)))
    outputs = (ParsedOutput("logits"), ParsedOutput("probabilities", classes=2))
    logits, classes = json.loads(write_response(CARD, request(*outputs), many).body)["outputs"]
    few, few_classes = json.loads(write_response(CARD, request(*outputs), SCORES).body)["outputs"]
    assert logits["data"] == few["data"] * 700
    assert classes["data"] == few_classes["data"] * 700
    assert (logits["shape"], classes["shape"]) == ([2100, 10], [2100, 2])
    binary = (ParsedOutput("logits", binary=True, classes=2),)
    body, length = write_response(CARD, request(*binary), many)
    small, small_length = write_response(CARD, request(*binary), SCORES)
    assert body[length:] == small[small_length:] * 700
    assert json.loads(body[:length])["outputs"][0]["parameters"]["binary_data_size"] == len(body[length:])
