"""Inference: engines that turn images into scores, and batching. Knows no HTTP, no model card and no disk layout."""
