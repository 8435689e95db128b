"""The TCP port of the service, which every worker opens for itself. Knows no HTTP.

Workers that share one listening socket take connections unevenly: whichever wakes first accepts all that are waiting.
With a socket each (SO_REUSEPORT, Linux 3.9) the kernel spreads connections over them.
"""

import socket
from typing import Self


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
