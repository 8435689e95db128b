"""The load scenarios for all servers, and the overload for this service. Knows no bars."""

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
"""The rate of an overload, as a multiple of the capacity."""
_OVERLOAD_CONNECTIONS = 2000
_CAPACITY_CONNECTIONS = 16


@dataclass(frozen=True)
class Scenario:
    """One kind of load."""

    shape: Shape
    picture: PictureName
    connections: int

    @property
    def name(self) -> str:
        """Its name in the results."""
        return f"{self.picture}-{self.shape}-{self.connections}"


SCENARIOS = (
    *(Scenario(shape, "digit", connections) for shape in ("raw", "multipart", "tensor") for connections in CONNECTIONS),
    *(Scenario(shape, "drawing", 16) for shape in ("raw", "multipart")),
    Scenario("batch", "digit", 4),
)


def scenarios_of(server: Server) -> list[Scenario]:
    """Return the scenarios that a server supports. For a variant of this service, return only the variant's own."""
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
        body = turn.server.routes[scenario.shape].build_body(pictures[scenario.picture].data)
        closed_loop.drive(url, body, connections=scenario.connections, seconds=WARM_UP_SECONDS)
        load = closed_loop.drive(url, body, connections=scenario.connections, seconds=seconds)
        print(f"  {scenario.name:22} {load.rate * pictures_in(scenario.shape):8.0f} pictures/s", flush=True)
        measurements.append(Measurement(server=turn.server.name, scenario=scenario.name, round=number, load=load))
    turn.check(list(pictures.values()))
    return measurements


def measure_start(turn: Turn, *, number: int) -> Start:
    """Return the start time and the current memory of a server."""
    return Start(
        server=turn.server.name,
        round=number,
        seconds=turn.start_seconds,
        resident_mb=turn.program.resident_mb(),
        largest_resident_mb=turn.program.largest_resident_mb(),
    )


def overload(turn: Turn, name: PictureName, picture: Picture, *, seconds: int, capacity_seconds: int) -> Overload:
    """Measure a server's capacity for a picture, send ten times as many requests, and check its answers afterwards."""
    url, body = turn.url("raw"), turn.server.routes["raw"].build_body(picture.data)
    best = closed_loop.drive(url, body, connections=_CAPACITY_CONNECTIONS, seconds=capacity_seconds)
    before = turn.program.resident_mb()
    load = open_loop.drive(
        url,
        body,
        open_loop.Schedule(rate=OVERLOAD * best.rate, seconds=seconds, connections=_OVERLOAD_CONNECTIONS),
        expected=f'"digit":{picture.expected_of(turn.server).digit},'.encode(),
    )
    after = turn.program.resident_mb()
    turn.check([picture])
    print(f"  overload by {name}: best {best.rate:.0f}/s, good {load.good.rate:.0f}/s", flush=True)
    return Overload(picture=name, seconds=seconds, best=best.rate, load=load, before_mb=before, after_mb=after)
