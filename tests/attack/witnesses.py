"""Valid clients during an attack. Their observations are the effects of the attack on others.

    python -m tests.attack.witnesses PORT

A process of its own, so that the load is not what lags. One client asks `/health/live` every 5 ms over one connection;
one asks the same of a bare server in another process, which tells how much of the lag is this machine's. Others have
small and large pictures read. At each line on its standard input it prints, as JSON, what was noticed since the last.
"""

import asyncio
import io
import json
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

from PIL import Image, ImageDraw

from tests.attack.servers import ROOT, Server
from tests.attack.wire import ask

TICK_SECONDS = 0.005
_SMALL_SECONDS = 0.02
_LARGE_SECONDS = 0.5
_PATIENCE_SECONDS = 30
_LIVE = b"GET /health/live HTTP/1.1\r\nHost: service\r\n\r\n"


@dataclass
class Window:
    """The observations in a period."""

    lags: list[float] = field(default_factory=list)
    """The lag of the event loop in seconds, for each tick: the time from the tick to the answer."""
    reference_lags: list[float] = field(default_factory=list)
    """The lag of the bare server."""
    small: Counter[str] = field(default_factory=Counter)
    """The outcomes of valid requests with a small picture: `right`, `refused` (503), `wrong`, `lost`."""
    large: Counter[str] = field(default_factory=Counter)
    """The outcomes of valid requests with a large picture."""

    def add(self, other: Self) -> None:
        """Add another period."""
        self.lags += other.lags
        self.reference_lags += other.reference_lags
        self.small += other.small
        self.large += other.large

    def worst(self) -> float:
        """Return the longest lag, in milliseconds."""
        return 1000 * max(self.lags, default=0.0)

    def worst_reference(self) -> float:
        """Return the longest lag of the bare server, in milliseconds."""
        return 1000 * max(self.reference_lags, default=0.0)


def quantile(values: list[float], share: float) -> float:
    """Return the quantile at `share` of the values, which are in seconds, in milliseconds."""
    ordered = sorted(values)
    return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def seven(side: int, format_: str = "PNG") -> bytes:
    """Return a picture file of a 7."""
    image = Image.new("L", (280, 280), 250)
    ImageDraw.Draw(image).line([(80, 70), (200, 70), (120, 220)], fill=10, width=22, joint="curve")
    file = io.BytesIO()
    image.resize((side, side)).save(file, format_)
    return file.getvalue()


def predict(picture: bytes) -> bytes:
    """Return a request for the prediction of a picture."""
    head = (
        f"POST /predict HTTP/1.1\r\nHost: service\r\nContent-Type: image/png\r\nContent-Length: {len(picture)}\r\n\r\n"
    )
    return head.encode() + picture


class Witnesses:
    """The witnesses of one server, in a process of their own."""

    def __init__(self, server: Server) -> None:
        self._port = server.port

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(  # noqa: S603 - this module itself
            [sys.executable, "-m", "tests.attack.witnesses", str(self._port)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.window()  # it has begun
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.communicate()  # it ends with its input

    def window(self) -> Window:
        """Return the observations since the last call."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        found = json.loads(self._process.stdout.readline())
        return Window(found["lags"], found["reference_lags"], Counter(found["small"]), Counter(found["large"]))


class _Client:
    """One connection to a server, opened again when it breaks."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection: socket.socket | None = None

    def ask(self, request: bytes) -> tuple[int, bytes] | None:
        """Return the status and the body of the answer; None if there is none."""
        try:
            if self._connection is None:
                self._connection = socket.create_connection(("127.0.0.1", self._port), _PATIENCE_SECONDS)
                self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return ask(self._connection, request)
        except OSError:
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            time.sleep(0.05)
            return None


class _Watch:
    """The threads of the witnesses, and their observations."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._window = Window()

    def take(self) -> Window:
        """Return the observations since the last call."""
        with self._lock:
            window, self._window = self._window, Window()
        return window

    def start(self, run: Callable[..., None], *arguments: object) -> None:
        """Run one of the methods below in a thread."""
        threading.Thread(target=run, args=arguments, daemon=True).start()

    def tick(self, port: int, *, reference: bool) -> None:
        """Send a request at each tick. Ticks during a wait for an answer count with their waiting time."""
        client = _Client(port)
        client.ask(_LIVE)
        due = time.perf_counter()
        while True:
            time.sleep(max(0.0, due - time.perf_counter()))
            client.ask(_LIVE)
            done = time.perf_counter()
            with self._lock:
                lags = self._window.reference_lags if reference else self._window.lags
                while due < done:
                    lags.append(done - due)
                    due += TICK_SECONDS

    def predict(self, port: int, picture: bytes, pause: float, *, large: bool) -> None:
        """Request the prediction of a picture of a 7 repeatedly."""
        client = _Client(port)
        request = predict(picture)
        while True:
            outcome = _outcome(client.ask(request))
            with self._lock:
                (self._window.large if large else self._window.small)[outcome] += 1
            time.sleep(pause)


def _outcome(answer: tuple[int, bytes] | None) -> str:
    if answer is None:
        return "lost"
    status, body = answer
    if status == 503:
        return "refused"
    return "right" if status == 200 and json.loads(body)["digit"] == 7 else "wrong"


async def _bare_server() -> None:
    """Answer every request with the same bytes, print the port, and end when the standard input is closed."""

    class Bare(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self._transport = transport

        def data_received(self, data: bytes) -> None:
            self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nOK")  # type: ignore[attr-defined]

    server = await asyncio.get_running_loop().create_server(Bare, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - for the process that started it
    await asyncio.to_thread(sys.stdin.read)


def _main(port: int) -> None:
    command = [sys.executable, "-m", "tests.attack.witnesses", "bare"]
    with subprocess.Popen(  # noqa: S603 - likewise
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as bare:
        assert bare.stdout
        watch = _Watch()
        watch.start(lambda: watch.tick(port, reference=False))
        watch.start(lambda bare_port: watch.tick(bare_port, reference=True), int(bare.stdout.readline()))
        for _ in range(2):
            watch.start(lambda: watch.predict(port, seven(28), _SMALL_SECONDS, large=False))
        watch.start(lambda: watch.predict(port, seven(1500), _LARGE_SECONDS, large=True))
        with suppress(BrokenPipeError):
            for _ in sys.stdin:
                print(json.dumps(vars(watch.take())), flush=True)  # noqa: T201 - likewise
        # Leaving closes its input, as the end of this process does, whatever ends it.


if __name__ == "__main__":
    if sys.argv[1] == "bare":
        asyncio.run(_bare_server())
    else:
        _main(int(sys.argv[1]))
