"""Starts the worker processes, and replaces workers that die. Imports nothing that only workers need."""

import os
import secrets
import signal
import socket
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog
import uvicorn
from pydantic import ValidationError
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from app.observability.log_setup import configure_logging
from app.settings import FINDER, UNIX, Settings, describe_errors

ACCEPTED_AT_ONCE = 8
"""Connections in an iteration of the event loop."""
_SOCKET_MODE = 0o666
"""The permissions of a Unix socket, as uvicorn sets them. Those of its folder decide who can reach it."""
_MAX_FAILED_STARTS = 3
"""The number of workers that may die before they are ready, while no other worker is ready."""


class Supervisor(Multiprocess):
    """Keeps the configured number of workers running, and stops if none can start."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket]) -> None:
        super().__init__(config, sockets)
        self.has_failed = False
        """Whether it stopped because no worker can start."""
        self._failed_starts = 0
        self._ready: set[int | None] = set()  # process ids of workers that have been ready

    def keep_subprocess_alive(self) -> None:
        """Replace workers that have died."""
        before = {process.pid for process in self.processes}
        super().keep_subprocess_alive()
        starting = [process for process in self.processes if process.pid not in self._ready]
        self._ready.update(process.pid for process in starting if process.is_ready(timeout=0.5))
        running = {process.pid for process in self.processes}
        if running & self._ready:
            self._failed_starts = 0
        self._failed_starts += len(before - running - self._ready)
        if any(process.exitcode == STARTUP_FAILURE for process in self.processes):
            self.has_failed = True  # the worker has logged the reason, and the base class stops the others
        elif self._failed_starts >= _MAX_FAILED_STARTS:
            self.has_failed = True
            self.should_exit.set()
            structlog.get_logger().error(
                "workers cannot start",
                failed=self._failed_starts,
                advice="Read the messages before this one, fix what they name, and start the service again.",
            )


def main() -> None:
    """Serve until a signal stops the service; then finish the accepted requests."""
    try:
        settings = Settings()
    except ValidationError as error:
        sys.exit(describe_errors(error))
    configure_logging()
    _check_default_model(settings)
    _check_feedback_folder(settings)
    os.environ.setdefault("OPENCV_FOR_THREADS_NUM", "1")  # each worker uses one core
    with (
        _temporary_folder("metrics") as metrics_folder,
        _temporary_folder("statistics") as statistics_folder,
        _temporary_folder("control") as control_folder,
    ):
        os.environ["DIGITSERVE_CONTROL_DIR"] = control_folder  # workers share commands through this folder
        if settings.feedback_key is None:
            os.environ["FEEDBACK_KEY"] = secrets.token_hex()  # the same for all workers
        # Several workers share their metrics and statistics through files. A single worker keeps them in memory.
        if settings.workers > 1:
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics_folder
            os.environ["DIGITSERVE_STATISTICS_DIR"] = statistics_folder
        _serve(settings)


def _check_default_model(settings: Settings) -> None:
    """Exit with a message if the default model has no version. The workers report a folder that cannot be read."""
    # Imports pydantic's models of the cards, which the supervisor needs only here.
    from app.errors import BrokenArtefact  # noqa: PLC0415
    from app.model_repository.artefact import find_models, find_versions  # noqa: PLC0415

    folder = settings.models_dir
    if not isinstance(folder, Path):
        return  # the workers report what is missing in an object store, and take it when it is there
    with suppress(OSError, BrokenArtefact):
        if find_versions(folder / settings.default_model):
            return
        published = [name for name in find_models(folder) if name != FINDER and find_versions(folder / name)]
        sys.exit(
            f"DEFAULT_MODEL={settings.default_model!r} has no version in {folder}. Classifiers that have one: "
            f"{', '.join(published) or 'none'}. Set DEFAULT_MODEL to one of them, or publish a version first."
        )


def _check_feedback_folder(settings: Settings) -> None:
    """Exit with a message if the feedback store is a folder that cannot be written."""
    if settings.feedback_dir is None:
        return
    from app.feedback.store import check_folder  # noqa: PLC0415 - imports fsspec, which a service without a store saves

    try:
        check_folder(settings.feedback_dir)
    except OSError as error:
        sys.exit(
            f"FEEDBACK_DIR={settings.feedback_dir!r} cannot be written: {error.strerror or error}. Make the folder "
            "writable for the user of the service, or set FEEDBACK_DIR to another folder."
        )


@contextmanager
def _temporary_folder(purpose: str) -> Iterator[str]:
    """Create a temporary folder, or exit with a message. It is removed at the end."""
    # Python would silently take another folder if that of the variable cannot be written.
    parent = next((os.environ[name] for name in ("TMPDIR", "TEMP", "TMP") if os.environ.get(name)), None)
    try:
        folder = tempfile.TemporaryDirectory(prefix=f"digitserve-{purpose}-", dir=parent)
    except OSError as error:
        sys.exit(
            f"No temporary folder can be created{f' in {parent!r}' if parent else ''}: {error.strerror or error}. Set "
            "TMPDIR to a folder that the user of the service can write."
        )
    with folder as path:
        yield path


def _serve(settings: Settings) -> None:
    config = uvicorn.Config(
        f"app.server.worker:{'create_worker_app' if settings.fast_path else 'create_plain_app'}",
        factory=True,
        http="app.server.fast_path_connection:FastPathConnection" if settings.fast_path else "httptools",
        workers=settings.workers,
        access_log=False,  # the application has its own access log
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )
    with _listen(settings) as listener, _reserve_grpc_port(settings):
        structlog.get_logger().info("serving", url=_url(listener.getsockname()), workers=settings.workers)
        if settings.workers > 1:
            supervisor = Supervisor(config, sockets=duplicate(listener))
            supervisor.run()
            if supervisor.has_failed:
                sys.exit(1)
            return
        server = uvicorn.Server(config)
        # After its shutdown, uvicorn raises the received signal again. By default SIGTERM would end the process before
        # the temporary folders are removed.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with suppress(KeyboardInterrupt):  # raised by the repeated signal, after a regular shutdown
            server.run(sockets=duplicate(listener))
        if not server.started:
            sys.exit(1)


def duplicate(listener: socket.socket) -> list[socket.socket]:
    """Return the socket and duplicates of it, so that ACCEPTED_AT_ONCE connections are accepted at once.

    For each socket, uvloop accepts one connection in an iteration of its event loop. Under overload, an iteration takes
    20 ms: the last of a thousand connections that are opened together would wait for 20 seconds.
    """
    return [listener, *(listener.dup() for _ in range(ACCEPTED_AT_ONCE - 1))]


@contextmanager
def _reserve_grpc_port(settings: Settings) -> Iterator[None]:
    """Hold the port that each worker opens for itself, so that no other program gets it while workers start."""
    if settings.grpc_port is None:
        yield
        return
    # Another program could share the port with a socket that has SO_REUSEPORT. Without it, the port is found in use.
    _open_port(settings.host, settings.grpc_port, "GRPC_PORT").close()
    with _create_socket(settings.host) as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserved.bind((settings.host, settings.grpc_port))
        yield


def _url(address: str | tuple[str, int]) -> str:
    """Return the URL of an address of a socket. IPv6 addresses need brackets (RFC 3986, section 3.2.2)."""
    if isinstance(address, str):
        return f"{UNIX}{address}"
    host, port = address[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def _listen(settings: Settings) -> Iterator[socket.socket]:
    """Open the port. All workers share this socket, so connections in its backlog survive the death of a worker."""
    if not settings.host.startswith(UNIX):
        with _open_port(settings.host, settings.port, "PORT") as listener:
            yield listener
        return
    path = Path(settings.host.removeprefix(UNIX))
    with _open_unix_socket(path) as listener:
        try:
            yield listener
        finally:
            path.unlink(missing_ok=True)


def _open_unix_socket(path: Path) -> socket.socket:
    """Open a Unix socket, in place of one that a service has left behind."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_abandoned_socket(path)
        listener.bind(str(path))
        path.chmod(_SOCKET_MODE)
        listener.listen()
    except OSError as error:
        listener.close()
        sys.exit(
            f"The Unix socket {path} cannot be opened: {error.strerror or error}. Its folder has to exist and to be "
            "writable, and no other program may use the path."
        )
    return listener


def _remove_abandoned_socket(path: Path) -> None:
    """Remove a socket on which no program listens. Raises OSError if one does."""
    if not path.exists() or not stat.S_ISSOCK(path.stat().st_mode):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        try:
            client.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()


def _open_port(host: str, port: int, setting: str) -> socket.socket:
    listener = _create_socket(host)
    try:
        listener.bind((host, port))
        listener.listen()  # from now on no other program can open the port
    except OSError as error:
        listener.close()
        sys.exit(
            f"Port {port} of {host} cannot be opened: {error.strerror}. "
            f"If another program uses it, stop that program or set {setting} to another number."
        )
    return listener


def _create_socket(host: str) -> socket.socket:
    created = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    created.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return created
