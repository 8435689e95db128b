"""The model repository: finds, verifies, loads and unloads the versions of the models on disk. Knows no HTTP."""
