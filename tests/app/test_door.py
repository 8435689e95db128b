import json

import pytest
import structlog
from starlette.types import Scope
from structlog.testing import LogCapture

from app.admission import Room
from app.door import Door, _kept_refusal
from app.errors import TooSlow
from app.journal import Journal
from app.reader import Reader
from app.refusal import Answer
from app.routes import predict
from app.telemetry import Telemetry

pytestmark = pytest.mark.anyio

SMALL, LARGE = 300, 100_000


@pytest.fixture
def door(telemetry: Telemetry, log: LogCapture) -> Door:
    """Give a door with room for five, where a third large picture would wait too long."""
    logger = structlog.wrap_logger(structlog.PrintLogger(), processors=[log])
    reader = Reader(max_pixels=10**6, longest_wait_seconds=0.015, observer=telemetry)
    return Door(Room(5), reader, Journal(telemetry, logger, access_log=True), routes=predict.router.routes)


def request(length: int | None, path: str = "/predict", media_type: str = "image/jpeg") -> Scope:
    headers = [(b"content-type", media_type.encode()), (b"x-request-id", b"mine")]
    if length is not None:
        headers.append((b"content-length", b"%d" % length))
    return {"method": "POST", "path": path, "headers": headers, "state": {}}


def detail(response: Answer | None) -> str:
    assert response is not None
    return str(json.loads(response.body)["detail"])


async def test_there_is_room_for_so_many(door: Door) -> None:
    inside = [request(SMALL) for _ in range(5)]
    assert [door.enter(scope) for scope in inside] == [None] * 5
    assert "it is answering 5 requests" in detail(door.enter(request(SMALL)))
    inside[0]["state"]["leave"]()
    assert door.enter(request(SMALL)) is None


async def test_large_pictures_that_have_come_in_are_waited_for_like_those_that_are_with_the_reader(door: Door) -> None:
    inside = [request(LARGE) for _ in range(2)]
    assert [door.enter(scope) for scope in inside] == [None, None]
    for scope in inside:
        scope["state"]["arrive"]()
    assert "would wait 20 milliseconds before it is read" in detail(door.enter(request(LARGE)))
    assert "would wait" in detail(door.enter(request(LARGE, "/explain")))
    for scope in (request(SMALL), request(None), request(LARGE, "/predict/batch")):  # these wait for no thread, or may
        assert door.enter(scope) is None
    inside[0]["state"]["leave"]()
    assert door.enter(request(LARGE)) is None


async def test_large_pictures_that_are_still_on_their_way_hold_up_nobody(door: Door) -> None:
    inside = [request(LARGE) for _ in range(3)]
    assert [door.enter(scope) for scope in inside] == [None] * 3
    inside[0]["state"]["leave"]()
    for scope in inside[:2]:  # the first has left before it came in whole
        scope["state"]["arrive"]()
    assert door.enter(request(LARGE)) is None


async def test_who_takes_too_long_to_come_in_is_let_out_and_told(door: Door, log: LogCapture) -> None:
    inside = [request(SMALL) for _ in range(5)]
    for scope in inside:
        door.enter(scope)
    response = door.give_up(inside[0], TooSlow(60))
    assert response.status_code == 408
    assert "had not come in whole after 60 seconds" in detail(response)
    assert [(entry["status"], entry["request_id"]) for entry in log.entries] == [(408, "mine")]
    assert door.enter(request(SMALL)) is None


async def test_a_refusal_says_whom_it_is_for_and_where(door: Door) -> None:
    for _ in range(5):
        door.enter(request(SMALL))
    response = door.enter(request(SMALL))
    assert response is not None
    assert response.status_code == 503
    problem = json.loads(response.body)
    assert problem["type"] == "urn:digitserve:problem:overloaded"
    assert (problem["instance"], problem["request_id"]) == ("/predict", "mine")
    elsewhere = door.enter(request(SMALL, "/explain"))
    assert elsewhere is not None
    assert json.loads(elsewhere.body)["instance"] == "/explain"


async def test_nothing_is_kept_of_a_long_path(door: Door) -> None:
    for _ in range(5):
        door.enter(request(SMALL))
    long = "/" + "x" * 100_000
    before = _kept_refusal.cache_info()
    response = door.enter(request(SMALL, long))
    assert response is not None
    assert json.loads(response.body)["instance"] == long
    assert _kept_refusal.cache_info() == before


async def test_a_refusal_is_counted_and_logged_once(door: Door, telemetry: Telemetry, log: LogCapture) -> None:
    for _ in range(6):
        door.enter(request(SMALL))
    lines = telemetry.exposition("text/plain")[0].decode().splitlines()
    assert 'digitserve_refusals_total{reason="overloaded"} 1.0' in lines
    labels = 'method="POST",model="",route="/predict",status="503",version=""'
    assert f"digitserve_http_requests_total{{{labels}}} 1.0" in lines
    assert "digitserve_http_requests_in_progress 0.0" in lines  # the others are the application's to count
    assert [(entry["log_level"], entry["status"], entry["request_id"]) for entry in log.entries] == [
        ("warning", 503, "mine")
    ]
