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

TAGS = [
    {"name": "predict", "description": "Predict the digit in a picture, or in each of several pictures."},
    {"name": "read", "description": "Read all digits in a picture, in reading order."},
    {"name": "feedback", "description": "Correct a prediction, for the next training."},
    {"name": "explain", "description": "Find out why a model predicts a digit."},
    {"name": "models", "description": "The models, their versions, their accuracy and the metrics of the service."},
    {"name": "health", "description": "The probes of a container platform."},
    {"name": "page", "description": "The web page."},
    {"name": "Open Inference Protocol", "description": "Version 2 of the protocol, for clients of KServe and Triton."},
    {"name": "TensorFlow Serving", "description": "The REST API of TensorFlow Serving."},
]
"""The groups of routes, for the OpenAPI document."""


def include_routes(app: FastAPI) -> None:
    """Add all routes to the application."""
    own = (page, documentation, predict, read, feedback, explain, models, health)
    for module in (*own, open_inference, tensorflow_serving):
        app.include_router(module.router)
