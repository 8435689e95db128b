"""Artefact and HTTP request in, answer out. Knows nothing of how a model is trained."""
