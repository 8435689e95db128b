"""Corrections of predictions: the ids of predictions, and the store. Knows no HTTP and no model."""
