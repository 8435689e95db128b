"""Loads published models and answers HTTP requests with their predictions. Knows nothing of how a model is trained."""
