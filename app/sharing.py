"""Shares connections out evenly among the workers. Knows sockets, and no HTTP.

The kernel draws lots for who gets a connection: of 4 connections two workers get 2 each in three cases of eight, and
in one case of eight the second worker gets none. So whoever gets one passes it on if another worker holds fewer.

And a worker gets its share before it can answer, at the start and when it takes the place of one that died. As long as
it does not take part itself, it passes all on to those that do.
"""

import asyncio
import fcntl
import mmap
import os
import socket
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Self

_PLACES = 512
"""The most workers that share."""
_NOBODY = 0
"""What the table says of a place that nobody has; of a worker it says one more than the connections it holds."""


class Sharing:
    """One worker's part in it: a place in a table of how many each holds, and a socket that takes what is passed on.

    The table is a file that all have in memory, and is changed under a lock on that file. A worker that dies leaves its
    place and its count behind. Whoever finds nobody there strikes it out, and a new worker may take the place.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._claim, self._place = _claim_place(folder)
        self._table = _open(folder / "table")
        os.truncate(self._table.fileno(), _PLACES * 8)
        self._memory = mmap.mmap(self._table.fileno(), _PLACES * 8)
        self._held = memoryview(self._memory).cast("q")
        with self._locked():
            self._held[self._place] = _NOBODY  # whoever had the place before may have died
        self._mailbox = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._mailbox.settimeout(0)
        self._adopting: set[asyncio.Task[object]] = set()
        self._listening = self._withdrawn = False
        self.joined = False
        """Whether this worker takes part."""

    def join(self, build_protocol: Callable[[], asyncio.Protocol], *, holding: int = 0) -> None:
        """Take part from now on, with `build_protocol` for what others pass on, and `holding` connections already.

        Whoever has withdrawn does not come back.
        """
        if self._withdrawn:
            return
        address = self._address(self._place)
        with self._locked():
            address.unlink(missing_ok=True)  # which whoever had the place before may have left
            self._mailbox.bind(str(address))
            self._held[self._place] = _NOBODY + 1 + holding
        asyncio.get_running_loop().add_reader(self._mailbox.fileno(), self._adopt, build_protocol)
        self.joined = self._listening = True

    def withdraw(self) -> None:
        """Have nothing more passed on to this worker, which is about to stop; what is on its way still comes."""
        self._withdrawn = True
        if self.joined:
            self.joined = False
            with self._locked():
                self._held[self._place] = _NOBODY
            self._address(self._place).unlink(missing_ok=True)

    def pass_on(self, connection: int) -> bool:
        """Pass a new connection, by its file descriptor, on to a worker that holds fewer; False: it stays and counts.

        Who has passed one on closes its own copy.
        """
        with self._locked():
            if self.joined:
                self._held[self._place] = max(self._held[self._place], _NOBODY + 1)  # somebody may have struck it out
            held = self._held.tolist()
            least = min(filter(None, held), default=_NOBODY)  # nobody is 0
            if least == _NOBODY:  # and all are busy starting
                return False
            receiver = self._place if least == held[self._place] else held.index(least)
            self._held[receiver] += 1  # at once: more may come before that worker has looked
        if receiver == self._place:
            return False
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [connection]))
        try:  # `socket.send_fds` takes an address and leaves it out
            self._mailbox.sendmsg([b"."], [rights], 0, str(self._address(receiver)))
        except OSError as error:
            nobody_there = isinstance(error, ConnectionRefusedError | FileNotFoundError)
            with self._locked():
                self._held[receiver] = _NOBODY if nobody_there else self._held[receiver] - 1
                self._held[self._place] += self.joined
            return False
        return True

    def release(self) -> None:
        """Count one connection fewer here."""
        if self.joined:
            with self._locked():  # what was passed on to the one before in this place was never counted here
                self._held[self._place] = max(self._held[self._place] - 1, _NOBODY + 1)

    def close(self) -> None:
        """Leave the table."""
        self.withdraw()
        if self._listening:
            asyncio.get_running_loop().remove_reader(self._mailbox.fileno())
        self._mailbox.close()
        self._held.release()
        self._memory.close()
        self._table.close()
        self._claim.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _address(self, place: int) -> Path:
        return self._folder / str(place)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        fcntl.flock(self._table, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._table, fcntl.LOCK_UN)

    def _adopt(self, build_protocol: Callable[[], asyncio.Protocol]) -> None:
        """Take in all that others have passed on."""
        loop = asyncio.get_running_loop()
        with suppress(BlockingIOError):
            while True:
                _, descriptors, _, _ = socket.recv_fds(self._mailbox, 1, 1)
                for descriptor in descriptors:
                    connection = socket.socket(fileno=descriptor)
                    connection.settimeout(0)
                    task = loop.create_task(loop.connect_accepted_socket(build_protocol, connection))
                    self._adopting.add(task)
                    task.add_done_callback(self._adopting.discard)


def _open(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")


def _claim_place(folder: Path) -> tuple[BinaryIO, int]:
    """Find a place in the table that no living worker has; whoever holds the file has the place."""
    for place in range(_PLACES):
        claim = _open(folder / f"{place}.claim")
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            claim.close()
        else:
            return claim, place
    message = f"{_PLACES} workers share already."
    raise OSError(message)
