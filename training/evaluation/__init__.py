"""Evaluates models: metrics, the comparison of two models, the promotion gate and figures."""
