"""Offline scoring: predicts every picture of a folder or a file, and writes a table. Knows no HTTP."""
