"""The service as one deployment of Ray Serve. Adds no routes, no batching and no limits to those of `app`.

Ray builds the application in each replica, and runs its lifespan there. It passes no lifespan state on to requests.
"""  # noqa: INP001 - Ray imports it by its path from the project's folder

import os

from fastapi import FastAPI
from ray import serve

from app.main import create_app
from app.settings import Settings


class MissingFeedbackKey(Exception):
    """Corrections are collected, and replicas have no key in common."""

    def __init__(self, folder: str) -> None:
        super().__init__(
            f"FEEDBACK_DIR={folder!r} needs FEEDBACK_KEY: a correction can reach another replica than the prediction. "
            "Set FEEDBACK_KEY to the same secret text for all replicas."
        )


def create_replica_app() -> FastAPI:
    """Build the application of one replica from its environment variables.

    Raises:
        MissingFeedbackKey: if `FEEDBACK_DIR` is set without `FEEDBACK_KEY`.

    """
    # A replica is one worker that other machines reach, whatever the environment says.
    os.environ |= {"HOST": "0.0.0.0", "WORKERS": "1"}  # noqa: S104 - Ray decides where it listens
    os.environ.setdefault("OPENCV_FOR_THREADS_NUM", "1")
    settings = Settings()
    if settings.feedback_dir is not None and settings.feedback_key is None:
        raise MissingFeedbackKey(settings.feedback_dir)
    return create_app()


_as_deployment = serve.deployment(
    name="Digitserve",
    max_ongoing_requests=4096,  # above MOST_AT_ONCE, so that the service refuses with its own problems
    graceful_shutdown_timeout_s=60,
    ray_actor_options={"num_cpus": 1},
)
Digitserve = _as_deployment(serve.ingress(create_replica_app)())
application = Digitserve.bind()
