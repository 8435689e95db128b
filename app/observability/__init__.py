"""Metrics, logs and traces. Knows no models and no routes."""
