"""Starts the service: `python -m app`. Settings come from the environment. Imports nothing that only workers need."""

import os
import secrets
import signal
import socket
import sys
import tempfile
from contextlib import ExitStack, suppress

import structlog
import uvicorn
from pydantic import ValidationError
from uvicorn.supervisors import Multiprocess

from app.logs import configure_logging
from app.port import Port
from app.settings import Settings, explain


def main() -> None:
    """Serve until told to stop; then finish what was taken."""
    try:
        settings = Settings()
    except ValidationError as error:
        sys.exit(explain(error))
    configure_logging()
    os.environ.setdefault("OPENCV_FOR_THREADS_NUM", "1")  # a worker has one core to itself
    with (
        tempfile.TemporaryDirectory(prefix="digitserve-metrics-") as folder,
        tempfile.TemporaryDirectory(prefix="digitserve-orders-") as orders,
        tempfile.TemporaryDirectory(prefix="digitserve-sharing-") as sharing,
    ):
        os.environ["DIGITSERVE_ORDERS_DIR"] = orders  # by which the workers do what one of them is told
        if settings.feedback_key is None:
            os.environ["FEEDBACK_KEY"] = secrets.token_hex()  # the same for all workers
        # Several workers add their metrics up through files; a single one keeps them in memory.
        if settings.workers > 1:
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
            if sys.platform != "win32":
                os.environ["DIGITSERVE_SHARING_DIR"] = sharing  # by which each gets as many connections as the others
        _serve(settings)


def _serve(settings: Settings) -> None:
    config = uvicorn.Config(
        "app.main:worker_app",
        factory=True,
        http="app.protocol:Protocol",
        workers=settings.workers,
        access_log=False,  # the application writes its own
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )
    with ExitStack() as stack:
        ports = [stack.enter_context(port) for port in _open(settings)]
        host, number = ports[0].getsockname()[:2]
        structlog.get_logger().info("serving", url=_url(host, number), workers=settings.workers)
        if settings.workers > 1:
            Multiprocess(config, sockets=ports).run()
            return
        server = uvicorn.Server(config)
        # Once it has stopped it sends itself again what stopped it, and would die before its folders are removed.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with suppress(KeyboardInterrupt):  # it has stopped as it should, and tells its caller what made it
            server.run(sockets=ports)
        if not server.started:
            sys.exit(1)


def _url(host: str, port: int) -> str:
    """Write an address as browsers take it: one of IPv6 has colons of its own (RFC 3986, section 3.2.2)."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _open(settings: Settings) -> list[socket.socket]:
    try:
        return Port.open_several(settings.host, settings.port)
    except OSError as error:
        sys.exit(
            f"Port {settings.port} of {settings.host} cannot be opened: {error.strerror}. "
            "If another program has it, stop that one or set PORT to another number."
        )


if __name__ == "__main__":
    main()
