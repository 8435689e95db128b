"""The socket that all workers listen on. Knows no HTTP.

The workers share one queue of new connections, which the kernel keeps for as long as the process that opened it lives.
With a socket and a queue for each worker (SO_REUSEPORT), a worker that dies takes its queue along.
"""

import socket

_DESCRIPTORS = 16
"""How many connections a worker accepts in one turn of its event loop.

libuv accepts one for each descriptor. Under more load than the service can answer a turn takes a tenth of a second, and
with one descriptor a new client would wait for many turns.
"""


def open_listener(host: str, port: int) -> list[socket.socket]:
    """Bind one socket, and return it with duplicates of its descriptor.

    Args:
        host: an address of this machine, IPv4 or IPv6.
        port: the TCP port; 0 takes one that is free.

    Raises:
        OSError: if another program listens on the port, or `host` is no address of this machine.

    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen()  # the port is this process's from now on
    except OSError:
        listener.close()
        raise
    return [listener, *(listener.dup() for _ in range(_DESCRIPTORS - 1))]
