"""The training program: from MNIST to published SavedModels. It knows nothing of HTTP or of serving."""
