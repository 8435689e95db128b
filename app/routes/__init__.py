"""The routes: each module contains those of one family of URLs.

A route parses the request, calls code that does not depend on HTTP, and responds.
"""

from fastapi import FastAPI

from app.routes import (
    documentation,
    explain,
    feedback,
    health,
    models,
    open_inference,
    page,
    predict,
    read,
    tensorflow_serving,
)


def include_routes(app: FastAPI) -> None:
    """Add all routes to the application."""
    own = (page, documentation, predict, read, feedback, explain, models, health)
    for module in (*own, open_inference, tensorflow_serving):
        app.include_router(module.router)
