"""The training program: from MNIST to published SavedModels. Knows nothing of the service that answers with them."""
