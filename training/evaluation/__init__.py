"""How a model is judged: metrics, comparison with another model, the promotion gate and figures."""
