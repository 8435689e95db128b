"""Feedback: the ids of predictions, and the store of corrections. Knows no HTTP and no model."""
