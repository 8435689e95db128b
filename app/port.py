"""The TCP port of the service, which every worker opens for itself. Knows no HTTP.

Workers that share one listening socket take connections unevenly: whichever wakes first accepts all that are waiting.
With a socket each (SO_REUSEPORT, Linux 3.9) the kernel spreads connections over them.

And each worker has several, because libuv accepts one connection of each socket at a turn of the event loop. When a
turn takes a tenth of a second, under more load than can be answered, whoever comes new would wait for many seconds.
"""

import socket
from typing import Self

_SOCKETS = 16
"""How many connections a worker accepts at one turn of its event loop."""


class Port(socket.socket):
    """A socket that holds a port; a process to which it is sent opens one of its own on the same port."""

    @classmethod
    def open(cls, host: str, port: int) -> Self:
        """Take a port, 0 for any that is free.

        Raises:
            OSError: if another program has it, or `host` is no address of this machine.

        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as alone:
            alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            alone.bind((host, port))  # fails if somebody listens there, which sharing would not
            port = alone.getsockname()[1]
        return cls._share(family, host, port)

    @classmethod
    def open_several(cls, host: str, port: int) -> list[socket.socket]:
        """Take a port as `open` does, with as many sockets as one worker wants."""
        first = cls.open(host, port)
        host, port = first.getsockname()[:2]
        more = _SOCKETS - 1 if hasattr(socket, "SO_REUSEPORT") else 0
        return [first, *(cls._share(first.family, host, port) for _ in range(more))]

    @classmethod
    def _share(cls, family: int, host: str, port: int) -> Self:
        self = cls(family, socket.SOCK_STREAM)
        self.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "SO_REUSEPORT"):
            self.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.bind((host, port))
        return self

    def __reduce__(self) -> tuple[object, ...]:
        """Say how another process opens the same port."""
        host, port = self.getsockname()[:2]
        return Port._share, (int(self.family), host, port)
