"""Images in, scores out: engines and batching. Knows no HTTP, no model card and no disk layout."""
