"""The error that ends a run of offline scoring before it is complete. Its message is one line for the user."""


class ScoringError(Exception):
    """The run cannot begin or go on: the message says what was wrong, what was expected and what to do."""
