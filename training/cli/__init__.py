"""The command line of the training program. The other packages know nothing of it."""
