import asyncio

import pytest

from app.admission import Room
from app.line import UNDER_WAY, Line

pytestmark = pytest.mark.anyio


class Requests:
    """Notes which have begun, and has them under way until they are answered."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.begun: list[int] = []

    def come(self, number: int) -> None:
        if self.line.is_moving:
            self.line.wait(lambda: self.begin(number))
        else:
            self.begin(number)

    def begin(self, number: int) -> None:
        self.begun.append(number)
        self.line.enter()


@pytest.fixture
def line() -> Line:
    return Line(Room(UNDER_WAY + 100))


async def test_so_many_are_under_way_and_the_rest_follow_in_their_order(line: Line) -> None:
    requests = Requests(line)
    for number in range(UNDER_WAY + 3):
        requests.come(number)
    assert requests.begun == list(range(UNDER_WAY))
    for _ in range(2):
        line.leave()
    requests.come(UNDER_WAY + 3)  # not before those that wait, though there is a place
    await asyncio.sleep(0)
    assert requests.begun == list(range(UNDER_WAY + 2))
    line.leave()
    line.leave()
    await asyncio.sleep(0)
    assert requests.begun == list(range(UNDER_WAY + 4))
    assert not Line(Room(1)).is_moving


async def test_who_waits_is_in_the_room() -> None:
    room = Room(UNDER_WAY)  # of which nobody here takes any, but those who wait
    line = Line(room)
    for _ in range(UNDER_WAY):
        line.enter()
    for _ in range(UNDER_WAY):
        assert line.is_moving
        line.wait(lambda: None)
    assert not line.is_moving  # whoever comes now is refused
    assert room.refusal() is not None
    line.leave()
    await asyncio.sleep(0)
    assert room.refusal() is None


async def test_who_left_the_line_takes_no_place(line: Line) -> None:
    requests = Requests(line)
    for number in range(UNDER_WAY):
        requests.come(number)
    line.wait(lambda: None)  # whose connection is gone
    requests.come(UNDER_WAY)
    line.leave()
    await asyncio.sleep(0)
    assert requests.begun[-1] == UNDER_WAY
