"""Numbers of a sweep as tables."""
