"""The finder: the network that finds the ink of digits in a page, and its training. Classifies no digits."""
