"""One reader for each way in which sections lie on disk."""
