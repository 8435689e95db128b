"""Renders MNIST's test digits in scenes of daily life, and measures the service on them: `python -m benchmarks.scenes`.

It shares no code with the pages that `training` makes, so that a model trained on those pages is measured on others.
"""
