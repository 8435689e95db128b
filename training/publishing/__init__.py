"""Stores models: checkpoints during training, published versions afterwards."""
