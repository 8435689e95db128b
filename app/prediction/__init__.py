"""A picture in, a prediction out. Knows no HTTP."""
