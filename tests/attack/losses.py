"""Count the requests that are lost when a worker is killed, when it is stopped, and when the server is stopped."""

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass

from tests.attack.regulars import Regulars, Tally
from tests.attack.servers import Server, peers

CLIENTS = 60
_BEFORE_SECONDS = 0.7
_AFTER_SECONDS = 0.5
_PATIENCE_SECONDS = 30


@dataclass(frozen=True)
class Losses:
    """The outcomes of the requests of 60 clients, until another worker has replaced the ended one."""

    killed: Tally
    held_by_killed: int
    """The number of connections of the killed worker: with any server, this many may break."""
    stopped: Tally
    held_by_stopped: int
    idle: Tally
    """The outcomes of clients that were idle when the server was stopped, and sent a request in the second after."""


async def measure(server: Server) -> Losses:
    """Kill a worker of a server with two, stop another, and then stop the server, with 60 clients at it."""
    killed, held_by_killed = await _strike(server, signal.SIGKILL)
    stopped, held_by_stopped = await _strike(server, signal.SIGTERM)
    return Losses(killed, held_by_killed, stopped, held_by_stopped, await _stop_with_idle_clients(server))


async def _strike(server: Server, number: signal.Signals) -> tuple[Tally, int]:
    clients = Regulars(server.address, CLIENTS)
    running = asyncio.create_task(clients.run())
    await asyncio.sleep(_BEFORE_SECONDS)
    # The one with more connections: the kernel deals them out to stock uvicorn as it likes.
    held = {pid: len(peers(server.port, pid=pid)) for pid in server.workers()}
    struck = max(held, key=lambda pid: held[pid])
    loaded = server.models_loaded()
    clients.take()
    os.kill(struck, number)
    await _until(lambda: server.models_loaded() > loaded)  # by the one that takes its place
    await asyncio.sleep(_AFTER_SECONDS)
    clients.stop()
    await running
    await clients.close()
    return clients.take(), held[struck]


async def _stop_with_idle_clients(server: Server) -> Tally:
    clients = Regulars(server.address, CLIENTS)
    await clients.ask_once()
    await asyncio.sleep(0.2)
    clients.take()
    server.program.process.send_signal(signal.SIGTERM)
    await clients.ask_once(within=1.0)
    await clients.close()
    return clients.take()


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while not holds():  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.05)
