"""The service as one deployment of Ray Serve. Adds no routes, no batching and no limits to those of `app`.

Ray builds the application in each replica, and runs its lifespan there. It passes no lifespan state on to requests.
"""  # noqa: INP001 - Ray imports it by its path from the project's folder

import os

from fastapi import FastAPI
from pydantic import ValidationError
from ray import serve

from app.main import create_app
from app.settings import Settings, describe_errors


class InvalidSettings(Exception):
    """A replica cannot start with its environment variables. The message says which, and what is expected."""


def create_replica_app() -> FastAPI:
    """Build the application of one replica from its environment variables.

    Raises:
        InvalidSettings: if a value is invalid, or `FEEDBACK_DIR` is set without `FEEDBACK_KEY`.

    """
    # A replica is one worker that other machines reach, whatever the environment says.
    os.environ |= {"HOST": "0.0.0.0", "WORKERS": "1"}  # noqa: S104 - Ray decides where it listens
    os.environ.setdefault("OPENCV_FOR_THREADS_NUM", "1")
    try:
        settings = Settings()
    except ValidationError as error:
        raise InvalidSettings(describe_errors(error)) from None
    if settings.feedback_dir is not None and settings.feedback_key is None:
        message = (
            f"FEEDBACK_DIR={settings.feedback_dir!r} needs FEEDBACK_KEY: a correction can reach another replica than "
            "the prediction. Set FEEDBACK_KEY to the same secret text for all replicas."
        )
        raise InvalidSettings(message)
    return create_app()


_as_deployment = serve.deployment(
    name="Digitserve",
    max_ongoing_requests=4096,  # above MOST_AT_ONCE, so that the service refuses with its own problems
    graceful_shutdown_timeout_s=60,
    ray_actor_options={"num_cpus": 1},
)
Digitserve = _as_deployment(serve.ingress(create_replica_app)())
application = Digitserve.bind()
