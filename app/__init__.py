"""Artefact and HTTP request in, answer out. Knows nothing of how a model is trained."""

__version__ = "0.1.0"
