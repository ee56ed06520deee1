"""What lies on disk, and what becomes of it on the way to a batch."""
