"""Load and speed, side by side with other servers and other libraries. Imported by nothing.

`python -m benchmarks.serving` and `python -m benchmarks.training` measure and write `docs/benchmarks.md`.
"""
