"""Asks the other workers of the service to carry out a command now, and tells whether they have. Knows no models.

Each worker listens on a Unix socket in the folder of commands. A worker that died leaves its socket behind: nobody
listens there any more, and whoever finds out removes it. Its successor reads the commands when it starts.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

Follow = Callable[[str], Awaitable[str | None]]
"""Carries out the latest commands; takes the name of a model, and returns why it could not be loaded, or None."""

_PREFIX = ".worker-"  # hidden: other files of the folder are commands


class WorkerGroup:
    """The workers that share a folder of commands. Belongs to one event loop of one of them."""

    def __init__(self, folder: Path) -> None:
        token = secrets.token_hex(4)
        self._folder = folder
        self._socket = folder / f"{_PREFIX}{token}"
        self._unready_socket = folder / f".{token}"
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def listening(self, follow: Follow) -> AsyncIterator[None]:
        """Let the other workers call `follow` within the context.

        Raises:
            OSError: if no socket can be made in the folder.

        """
        try:
            server = await asyncio.start_unix_server(partial(self._answer, follow), str(self._unready_socket))
        except OSError as error:
            message = (
                f"The workers cannot share commands: {error}. Set TMPDIR to a folder for sockets, with a short path."
            )
            raise OSError(message) from error
        self._unready_socket.rename(self._socket)  # so that no worker finds a socket on which nobody listens yet
        try:
            yield
        finally:
            self._socket.unlink(missing_ok=True)
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _answer(self, follow: Follow, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            if line := await reader.readline():
                writer.write(json.dumps(await _reason(follow, json.loads(line))).encode() + b"\n")
                await writer.drain()
        except ConnectionError:
            pass  # the other worker does not wait any more
        finally:
            writer.close()

    async def ask_others(self, name: str) -> list[str]:
        """Let all other workers carry out the latest commands, and wait until they have.

        Returns:
            Why the model could not be loaded, for each worker that could not load it.

        """
        sockets = [path for path in self._folder.glob(f"{_PREFIX}*") if path != self._socket]
        reasons = await asyncio.gather(*(_ask(path, name) for path in sockets))
        return [reason for reason in reasons if reason is not None]


async def _reason(follow: Follow, name: str) -> str | None:
    try:
        return await follow(name)
    except Exception as error:  # noqa: BLE001 - handed on to the worker that asks
        return f"{type(error).__name__}: {error}"


async def _ask(socket: Path, name: str) -> str | None:
    try:
        reader, writer = await asyncio.open_unix_connection(str(socket))
    except (ConnectionRefusedError, FileNotFoundError):
        _remove(socket)
        return None
    try:
        writer.write(json.dumps(name).encode() + b"\n")
        answer = await reader.readline()
    except ConnectionError:
        answer = b""
    finally:
        writer.close()
    reason: str | None = json.loads(answer) if answer else None  # without an answer, the worker has ended
    return reason


def _remove(socket: Path) -> None:
    socket.unlink(missing_ok=True)
