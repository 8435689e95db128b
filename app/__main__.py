"""Starts the service: `python -m app`. Settings come from the environment. Imports nothing that only workers need."""

import os
import sys
import tempfile

import uvicorn
from pydantic import ValidationError

from app.logs import configure_logging
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
    ):
        os.environ["DIGITSERVE_ORDERS_DIR"] = orders  # by which the workers do what one of them is told
        # Several workers add their metrics up through files; a single one keeps them in memory.
        if settings.workers > 1:
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        uvicorn.run(
            "app.main:worker_app",
            factory=True,
            host=settings.host,
            port=settings.port,
            workers=settings.workers,
            access_log=False,  # the application writes its own
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=settings.shutdown_seconds,
        )


if __name__ == "__main__":
    main()
