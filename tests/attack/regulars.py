"""Clients that send requests repeatedly over kept-alive connections, and count the outcomes.

They look before they ask whether the server has closed the connection, as clients do: then nothing is lost, and they
open another. What counts as broken is a request that was sent over a connection on which others have been answered, and
was not: clients send such a request again only if they know that it changes nothing.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from tests.attack.wire import Address

_REQUEST = b"GET /health/live HTTP/1.1\r\nHost: service\r\n\r\n"
_PAUSE_SECONDS = 0.05
_PATIENCE_SECONDS = 20


@dataclass
class Tally:
    """The outcomes of requests."""

    answered: int = 0
    broken: int = 0
    """Sent over a kept-alive connection, and not answered."""
    refused: int = 0
    """Not sent, or sent over a new connection that failed."""


class Regulars:
    """Several clients, each with its own connection."""

    def __init__(self, address: Address, count: int) -> None:
        self._address = address
        self._count = count
        self._connections: list[tuple[asyncio.StreamReader, asyncio.StreamWriter] | None] = [None] * count
        self._stopped = False
        self.tally = Tally()

    async def run(self) -> None:
        """Send requests until `stop` is called."""
        await asyncio.gather(*map(self._ask_over_and_over, range(self._count)))

    async def ask_once(self, within: float = 0.0) -> None:
        """Let each client send one request, spread over `within` seconds."""

        async def ask_later(place: int) -> None:
            await asyncio.sleep(within * place / self._count)
            await self._ask(place)

        await asyncio.gather(*map(ask_later, range(self._count)))

    def stop(self) -> None:
        """Stop sending requests."""
        self._stopped = True

    def take(self) -> Tally:
        """Return the outcomes since the last call."""
        tally, self.tally = self.tally, Tally()
        return tally

    async def close(self) -> None:
        """Close all connections."""
        for connection in filter(None, self._connections):
            connection[1].close()
            with suppress(OSError):
                await connection[1].wait_closed()

    async def _ask_over_and_over(self, place: int) -> None:
        while not self._stopped:
            await self._ask(place)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _ask(self, place: int) -> None:
        connection = self._connections[place]
        is_new = connection is None or connection[0].at_eof() or connection[1].is_closing()
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                if is_new:
                    connection = await self._connect(place)
                assert connection is not None
                await _exchange(*connection)
        except (OSError, asyncio.IncompleteReadError):
            self._disconnect(place)
            self.tally.broken += not is_new
            self.tally.refused += is_new
        else:
            self.tally.answered += 1

    async def _connect(self, place: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self._disconnect(place)
        connection = self._connections[place] = await asyncio.open_connection(*self._address)
        return connection

    def _disconnect(self, place: int) -> None:
        if (connection := self._connections[place]) is not None:
            connection[1].close()
        self._connections[place] = None


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(_REQUEST)
    head = await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]))
