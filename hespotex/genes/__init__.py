"""Which genes are predicted, and in what unit."""
