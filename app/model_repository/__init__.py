"""The versions of the models on disk: which are loaded, and which one answers. Knows no HTTP."""
