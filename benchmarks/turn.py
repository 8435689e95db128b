"""One server's turn: start it, wait until its answers are correct, and stop it. Generates no load."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
_CONSECUTIVE_ANSWERS = 12
"""The number of correct answers in sequence, each over a new connection, that reach every worker."""
_IDLE_LOAD = 0.2
"""A server is idle if it uses less than this share of one core."""
_IDLE_TIMEOUT_SECONDS = 30


class WrongAnswerError(Exception):
    """A server's answer differs from the model's prediction. The message contains both."""


@dataclass(frozen=True)
class Picture:
    """A picture and the model's predictions for it, with both kinds of preprocessing."""

    data: bytes
    resized: Answer
    """The prediction for the picture resized to 28x28."""
    normalised: Answer
    """The prediction for the picture in MNIST's form."""

    def expected_of(self, server: Server) -> Answer:
        """Return the correct answer for a server."""
        return self.normalised if server.normalises else self.resized


class Reference:
    """Returns the correct predictions, by running the model itself."""

    def __init__(self, saved_model: Path) -> None:
        self._engine = OpenVINOEngine(saved_model)

    def predict(self, data: bytes) -> Picture:
        """Return a picture with the model's predictions."""
        return Picture(data, self._run(payloads.decode_plainly(data)), self._run(preprocess_picture(data).image))

    def _run(self, image: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Answer:
        probabilities = self._engine(image[np.newaxis]).probabilities[0].astype(np.float64)
        return Answer(int(probabilities.argmax()), probabilities)


@dataclass(frozen=True)
class Turn:
    """A running server."""

    server: Server
    address: str
    program: Program
    start_seconds: float
    """From the start of its process to its first correct answer."""

    def url(self, shape: Shape) -> str:
        """Return the URL of the route for this shape of request."""
        return self.address + self.server.routes[shape].path

    def check(self, pictures: Sequence[Picture]) -> None:
        """Send every picture in every shape that the server supports. Raises WrongAnswerError."""
        with httpx.Client(timeout=20) as client:
            for shape in self.server.routes:
                for picture in pictures:
                    _check(self.server, client, self.url(shape), shape, picture)


@contextmanager
def take_turn(server: Server, picture: Picture) -> Iterator[Turn]:
    """Start a server, yield it as soon as its answers to `picture` are correct, and stop it in the end.

    Raises PeerUnavailableError if it does not start.
    """
    ports = processes.free_ports(3)
    names = {"port": ports[0], "second_port": ports[1], "third_port": ports[2]}
    command = [part.format_map(names) for part in server.command]
    environment = {key: value.format_map(names) for key, value in server.environment.items()}
    log = CACHE / "logs" / f"{server.name}.log"
    address = f"http://127.0.0.1:{ports[0]}"
    started = time.perf_counter()
    with processes.running(command, folder=server.folder, environment=environment, log=log) as program:
        _await_answers(server, program, address, picture, count=1)
        start_seconds = time.perf_counter() - started
        _await_idle(program)
        _await_answers(server, program, address, picture, count=_CONSECUTIVE_ANSWERS)
        yield Turn(server, address, program, start_seconds)


def _await_answers(server: Server, program: Program, address: str, picture: Picture, *, count: int) -> None:
    """Send `picture` over new connections until `count` answers in sequence are correct."""
    deadline = time.monotonic() + _START_LIMIT_SECONDS
    shape = next(iter(server.routes))
    problem, correct = "it sent no answer", 0
    with httpx.Client(timeout=20, limits=httpx.Limits(max_keepalive_connections=0)) as client:
        while not program.has_ended() and time.monotonic() < deadline:
            try:
                _check(server, client, address + server.routes[shape].path, shape, picture)
            except (httpx.HTTPError, WrongAnswerError) as error:
                problem, correct = str(error) or type(error).__name__, 0
                time.sleep(_POLL_SECONDS)
            else:
                correct += 1
                if correct == count:
                    return
    message = f"it did not start: {problem.rstrip('.')}.\nThe end of its log:\n{program.log_tail()}"
    raise PeerUnavailableError(message)


def _await_idle(program: Program) -> None:
    """Wait until the server is idle, because some workers may still be starting. Give up after a time limit."""
    deadline = time.monotonic() + _IDLE_TIMEOUT_SECONDS
    share = 1.0
    while share > _IDLE_LOAD and time.monotonic() < deadline:
        before = program.processor_seconds()
        time.sleep(1)
        share = program.processor_seconds() - before


def _check(server: Server, client: httpx.Client, url: str, shape: Shape, picture: Picture) -> None:
    route = server.routes[shape]
    body = route.build_body(picture.data)
    response = client.post(url, content=body.data, headers={"content-type": body.content_type})
    if response.status_code != 200:
        message = f"it answered {shape} with status {response.status_code}: {response.text[:500]}"
        raise WrongAnswerError(message)
    answer = route.read_answer(response.json())
    expected = picture.expected_of(server)
    if server.classifies and not np.allclose(answer.probabilities, expected.probabilities, atol=server.tolerance):
        message = (
            f"it answered {shape} with {answer.digit} {answer.probabilities.round(3)}; the model predicts "
            f"{expected.digit} {expected.probabilities.round(3)}."
        )
        raise WrongAnswerError(message)
