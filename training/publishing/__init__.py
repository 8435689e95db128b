"""How a model is stored: checkpoints during training, published versions afterwards."""
