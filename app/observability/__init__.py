"""Metrics, logs and traces. Knows nothing of what they are about."""
