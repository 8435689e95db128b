"""One server's turn: it is started, asked until it answers right, and stopped. Knows no load."""

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np

from app.inference.engines import OpenVINOEngine
from benchmarks import payloads, processes
from benchmarks.environments import CACHE, PeerUnavailableError
from benchmarks.processes import Program
from benchmarks.servers import Answer, Server, Shape
from imaging import preprocess_picture

_START_LIMIT_SECONDS = 180
_POLL_SECONDS = 0.005
_IN_A_ROW = 12
"""So many right answers, over connections of their own, meet every worker."""
_REST_SHARE = 0.2
"""A server has come to rest when it wants less than this of one core."""
_REST_LIMIT_SECONDS = 30


class WrongAnswerError(Exception):
    """A server's answer is not the one that the model gives; the message says to what, and how."""


@dataclass(frozen=True)
class Picture:
    """A picture and what the model says of it, by either way of making it 28x28."""

    data: bytes
    plainly: Answer
    """Of the picture resized."""
    normalised: Answer
    """Of the picture brought into MNIST's form."""

    def expected_of(self, server: Server) -> Answer:
        """Choose the answer that a server should give."""
        return self.normalised if server.normalises else self.plainly


class Judge:
    """Knows the right answers, because it asks the model itself."""

    def __init__(self, saved_model: Path) -> None:
        self._engine = OpenVINOEngine(saved_model)

    def judge(self, data: bytes) -> Picture:
        """Ask the model about a picture."""
        return Picture(data, self._ask(payloads.decode_plainly(data)), self._ask(preprocess_picture(data).image))

    def _ask(self, image: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Answer:
        probabilities = self._engine(image[np.newaxis]).probabilities[0].astype(np.float64)
        return Answer(int(probabilities.argmax()), probabilities)


@dataclass(frozen=True)
class Turn:
    """A server that is up."""

    server: Server
    address: str
    program: Program
    start_seconds: float
    """From the start of its process to its first right answer."""

    def url(self, shape: Shape) -> str:
        """Give the address of the route that takes pictures in this shape."""
        return self.address + self.server.routes[shape].path

    def check(self, pictures: Sequence[Picture]) -> None:
        """Send every picture in every shape that the server takes; raises WrongAnswerError."""
        with httpx.Client(timeout=20) as client:
            for shape in self.server.routes:
                for picture in pictures:
                    _check(self.server, client, self.url(shape), shape, picture)


@contextmanager
def take_turn(server: Server, picture: Picture) -> Iterator[Turn]:
    """Start a server and yield it once it has answered the picture right; stop it in the end.

    Raises PeerUnavailableError if it does not come up.
    """
    ports = _free_ports(3)
    names = {"port": ports[0], "second_port": ports[1], "third_port": ports[2]}
    command = [part.format_map(names) for part in server.command]
    environment = {key: value.format_map(names) for key, value in server.environment.items()}
    log = CACHE / "logs" / f"{server.name}.log"
    address = f"http://127.0.0.1:{ports[0]}"
    started = time.perf_counter()
    with processes.running(command, folder=server.folder, environment=environment, log=log) as program:
        _await_answers(server, program, address, picture, count=1)
        start_seconds = time.perf_counter() - started
        _await_rest(program)
        _await_answers(server, program, address, picture, count=_IN_A_ROW)
        yield Turn(server, address, program, start_seconds)


def _await_answers(server: Server, program: Program, address: str, picture: Picture, *, count: int) -> None:
    """Ask over a new connection each time until so many answers in a row are right."""
    deadline = time.monotonic() + _START_LIMIT_SECONDS
    shape = next(iter(server.routes))
    problem, right = "it answered nothing", 0
    with httpx.Client(timeout=20, limits=httpx.Limits(max_keepalive_connections=0)) as client:
        while not program.has_ended() and time.monotonic() < deadline:
            try:
                _check(server, client, address + server.routes[shape].path, shape, picture)
            except (httpx.HTTPError, WrongAnswerError) as error:
                problem, right = str(error) or type(error).__name__, 0
                time.sleep(_POLL_SECONDS)
            else:
                right += 1
                if right == count:
                    return
    message = f"it did not start: {problem.rstrip('.')}.\nThe end of its log:\n{program.last_words()}"
    raise PeerUnavailableError(message)


def _await_rest(program: Program) -> None:
    """Give workers that are still starting the time to finish; a server that never rests is not waited for."""
    deadline = time.monotonic() + _REST_LIMIT_SECONDS
    share = 1.0
    while share > _REST_SHARE and time.monotonic() < deadline:
        before = program.processor_seconds()
        time.sleep(1)
        share = program.processor_seconds() - before


def _check(server: Server, client: httpx.Client, url: str, shape: Shape, picture: Picture) -> None:
    route = server.routes[shape]
    body = route.carry(picture.data)
    response = client.post(url, content=body.data, headers={"content-type": body.content_type})
    if response.status_code != 200:
        message = f"it answers {response.status_code} to {shape}: {response.text[:500]}"
        raise WrongAnswerError(message)
    answer = route.read_answer(response.json())
    expected = picture.expected_of(server)
    if server.classifies and not np.allclose(answer.probabilities, expected.probabilities, atol=server.tolerance):
        message = (
            f"it says {answer.digit} {answer.probabilities.round(3)} to {shape}, where the model says "
            f"{expected.digit} {expected.probabilities.round(3)}."
        )
        raise WrongAnswerError(message)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
