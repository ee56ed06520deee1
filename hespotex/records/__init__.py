"""What a run leaves, and the one door through which it is built again."""
