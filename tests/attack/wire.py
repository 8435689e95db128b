"""An HTTP/1.1 client for arbitrary bytes: sends them and parses the responses. Knows no server."""

import asyncio
import socket
import struct
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import NamedTuple

Address = tuple[str, int]


class Answer(NamedTuple):
    """A final response. Interim responses, such as 100 Continue, are skipped."""

    status: int
    headers: dict[str, str]
    body: bytes


class NotHTTP(Exception):
    """The bytes from a server are not a sequence of responses."""


def parse(stream: bytes, without_body: Collection[int] = ()) -> list[Answer]:
    """Split the bytes from a server into its responses.

    Args:
        stream: all that came over one connection.
        without_body: which of the answers, by their place, have no body because HEAD was asked.

    Raises:
        NotHTTP: if something between, behind or in them is no whole answer.

    """
    answers: list[Answer] = []
    while stream:
        head, end, stream = stream.partition(b"\r\n\r\n")
        start, *lines = head.decode("latin-1").split("\r\n")
        version, _, status = start.partition(" ")
        if not end or version != "HTTP/1.1" or not status[:3].isdigit():
            message = f"{head[:200]!r} is not the head of an answer."
            raise NotHTTP(message)
        if status.startswith("1"):
            continue
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = 0 if len(answers) in without_body or status[:3] in {"204", "304"} else int(headers["content-length"])
        if len(stream) < length:
            message = f"An answer with a body of {length} bytes breaks off after {len(stream)}."
            raise NotHTTP(message)
        answers.append(Answer(int(status[:3]), headers, stream[:length]))
        stream = stream[length:]
    return answers


class Received(NamedTuple):
    """The responses over one connection."""

    stream: bytes
    closed: bool
    """Whether the server closed the connection. Otherwise it stopped sending."""


async def converse(
    address: Address, writes: Sequence[bytes], *, silence: float, pauses: Collection[int] = (), leave: bool = False
) -> Received:
    """Send `writes` over a connection, and read until the server closes it or is silent for `silence` seconds.

    Args:
        address: of the server.
        writes: each a piece of its own on the wire.
        silence: in seconds.
        pauses: before which of them, by their place, the server gets time to take in what came before.
        leave: close the sending side in the end, as a client that gives up does.

    """
    reader, writer = await asyncio.open_connection(*address, limit=2**20)
    writer.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sending = asyncio.create_task(_send(writer, writes, pauses, leave=leave))
    try:
        return await _receive(reader, silence)
    finally:
        sending.cancel()
        with suppress(asyncio.CancelledError, OSError):
            await sending
        writer.transport.abort()


async def _send(writer: asyncio.StreamWriter, writes: Sequence[bytes], pauses: Collection[int], *, leave: bool) -> None:
    for place, data in enumerate(writes):
        if place in pauses:
            await asyncio.sleep(0.002)
        writer.write(data)
        await writer.drain()
    if leave:
        await asyncio.sleep(0.02)
        writer.write_eof()


async def _receive(reader: asyncio.StreamReader, silence: float) -> Received:
    stream = bytearray()
    with suppress(ConnectionError):
        try:
            while data := await asyncio.wait_for(reader.read(2**18), silence):
                stream += data
        except TimeoutError:
            return Received(bytes(stream), closed=False)
    return Received(bytes(stream), closed=True)


def ask(connection: socket.socket, request: bytes) -> tuple[int, bytes]:
    """Send one request and read its answer: its status and body.

    Raises:
        ConnectionError: if the server closes the connection instead.
        TimeoutError: if the connection has a time-out that passes.

    """
    connection.sendall(request)
    return read_answer(connection)


def read_answer(connection: socket.socket) -> tuple[int, bytes]:
    """Read one answer: its status and body. Raises as `ask` does."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += _some(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
    while len(body) < length:
        body += _some(connection)
    return int(head.split(maxsplit=2)[1]), body


def _some(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        message = "The server has closed the connection."
        raise ConnectionResetError(message)
    return data


def reset_when_closed(connection: socket.socket) -> None:
    """Let the connection end with a reset when it is closed, even if there are unsent or unread bytes."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
