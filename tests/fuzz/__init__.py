"""Damaged files for every reader of sections: `python -m tests.fuzz` tries ten thousand of them."""
