import socket
from contextlib import ExitStack

import pytest

from app.listener import open_listener


@pytest.fixture
def stack() -> ExitStack:
    with ExitStack() as stack:
        yield stack


def test_all_descriptors_are_of_one_socket(stack: ExitStack) -> None:
    listeners = [stack.enter_context(each) for each in open_listener("127.0.0.1", 0)]
    assert len({each.fileno() for each in listeners}) == len(listeners) > 1
    address = listeners[0].getsockname()
    client = stack.enter_context(socket.create_connection(address))
    for each in listeners[1:]:
        each.close()
    stack.enter_context(listeners[0].accept()[0])  # who is waiting for one is waiting for all
    assert client.getpeername() == address


def test_a_port_where_another_program_listens_is_not_shared(stack: ExitStack) -> None:
    listeners = [stack.enter_context(each) for each in open_listener("127.0.0.1", 0)]
    with pytest.raises(OSError, match="in use"):
        open_listener("127.0.0.1", listeners[0].getsockname()[1])


def test_version_6_of_the_protocol(stack: ExitStack) -> None:
    listeners = [stack.enter_context(each) for each in open_listener("::1", 0)]
    assert listeners[0].family == socket.AF_INET6
