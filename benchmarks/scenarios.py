"""What every server is asked to do in its turn, and what this service is asked besides. Knows no figures or bars."""

from dataclasses import dataclass
from typing import Literal

from benchmarks import closed_loop, open_loop
from benchmarks.results import Measurement, Overload, Start
from benchmarks.servers import BATCH, Server, Shape
from benchmarks.turn import Picture, Turn

PictureName = Literal["digit", "drawing", "photo"]
CONNECTIONS = (1, 16, 64)
WARM_UP_SECONDS = 1
OVERLOAD = 10
"""Times the capacity."""
_OVERLOAD_CONNECTIONS = 2000
_CAPACITY_CONNECTIONS = 16


@dataclass(frozen=True)
class Scenario:
    """One load."""

    shape: Shape
    picture: PictureName
    connections: int

    @property
    def name(self) -> str:
        """The name it has among the results."""
        return f"{self.picture}-{self.shape}-{self.connections}"


SCENARIOS = (
    *(Scenario(shape, "digit", connections) for shape in ("raw", "multipart", "tensor") for connections in CONNECTIONS),
    *(Scenario(shape, "drawing", 16) for shape in ("raw", "multipart")),
    Scenario("batch", "digit", 4),
)


def scenarios_of(server: Server) -> list[Scenario]:
    """Choose what a server can do; of a variant of this service only what the variant is there for."""
    return [
        scenario
        for scenario in SCENARIOS
        if scenario.shape in server.routes and (not server.variant or scenario.name in server.variant)
    ]


def pictures_in(shape: Shape) -> int:
    """Count the pictures of one request."""
    return BATCH if shape == "batch" else 1


def measure(turn: Turn, pictures: dict[PictureName, Picture], *, number: int, seconds: int) -> list[Measurement]:
    """Drive a server through its scenarios, with its answers checked before and after."""
    turn.check(list(pictures.values()))
    measurements = []
    for scenario in scenarios_of(turn.server):
        url = turn.url(scenario.shape)
        body = turn.server.routes[scenario.shape].carry(pictures[scenario.picture].data)
        closed_loop.drive(url, body, connections=scenario.connections, seconds=WARM_UP_SECONDS)
        load = closed_loop.drive(url, body, connections=scenario.connections, seconds=seconds)
        print(f"  {scenario.name:22} {load.rate * pictures_in(scenario.shape):8.0f} pictures/s", flush=True)
        measurements.append(Measurement(server=turn.server.name, scenario=scenario.name, round=number, load=load))
    turn.check(list(pictures.values()))
    return measurements


def measure_start(turn: Turn, *, number: int) -> Start:
    """Note how long a server took to start, and what memory it holds now."""
    return Start(
        server=turn.server.name,
        round=number,
        seconds=turn.start_seconds,
        resident_mb=turn.program.resident_mb(),
        largest_resident_mb=turn.program.largest_resident_mb(),
    )


def overload(turn: Turn, name: PictureName, picture: Picture, *, seconds: int, capacity_seconds: int) -> Overload:
    """Find a server's capacity for a picture, ask ten times as much of it, and see that it is well afterwards."""
    url, body = turn.url("raw"), turn.server.routes["raw"].carry(picture.data)
    best = closed_loop.drive(url, body, connections=_CAPACITY_CONNECTIONS, seconds=capacity_seconds)
    before = turn.program.resident_mb()
    load = open_loop.drive(
        url,
        body,
        open_loop.Timetable(rate=OVERLOAD * best.rate, seconds=seconds, connections=_OVERLOAD_CONNECTIONS),
        expected=f'"digit":{picture.expected_of(turn.server).digit},'.encode(),
    )
    after = turn.program.resident_mb()
    turn.check([picture])
    print(f"  overload by {name}: best {best.rate:.0f}/s, good {load.good.rate:.0f}/s", flush=True)
    return Overload(picture=name, seconds=seconds, best=best.rate, load=load, before_mb=before, after_mb=after)
