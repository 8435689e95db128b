import pickle
import socket
from contextlib import ExitStack

import pytest

from app.port import Port


def test_a_copy_sent_to_another_process_is_a_socket_of_its_own_on_the_same_port() -> None:
    with Port.open("127.0.0.1", 0) as port, pickle.loads(pickle.dumps(port)) as copy:  # noqa: S301 - it is our own
        assert copy.getsockname() == port.getsockname()
        assert copy.fileno() != port.fileno()


def test_connections_are_spread_over_those_who_listen() -> None:
    with Port.open("127.0.0.1", 0) as port, pickle.loads(pickle.dumps(port)) as other:  # noqa: S301 - it is our own
        for each in (port, other):
            each.listen(100)
            each.settimeout(0)
        clients = [socket.create_connection(port.getsockname()) for _ in range(64)]
        taken = [accept_all(each) for each in (port, other)]
        for client in clients:
            client.close()
    assert sum(taken) == 64
    assert min(taken) >= 10  # all but certain: the kernel draws lots


def accept_all(listener: socket.socket) -> int:
    count = 0
    while True:
        try:
            listener.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1


def test_the_holder_alone_takes_no_connections() -> None:
    with (
        Port.open("127.0.0.1", 0) as port,
        pytest.raises(ConnectionRefusedError),
        socket.create_connection(port.getsockname()),
    ):
        pass


def test_a_port_where_another_program_listens_is_not_shared() -> None:
    with Port.open("127.0.0.1", 0) as port:
        port.listen()
        with pytest.raises(OSError, match="in use"):
            Port.open("127.0.0.1", port.getsockname()[1])


def test_version_6_of_the_protocol() -> None:
    with Port.open("::1", 0) as port:
        assert port.family == socket.AF_INET6


def test_a_worker_has_several_sockets_on_one_port() -> None:
    with ExitStack() as stack:
        ports = [stack.enter_context(port) for port in Port.open_several("127.0.0.1", 0)]
        assert len(ports) > 1
        assert len({port.getsockname() for port in ports}) == 1
        assert len({port.fileno() for port in ports}) == len(ports)
