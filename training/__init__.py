"""From MNIST to a published artefact: the data, two networks, the training loop, the report and the SavedModel.

This package knows nothing of HTTP and nothing of how an artefact is served.
"""
