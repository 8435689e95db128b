"""The command line of the training program. The other packages do not import it."""
