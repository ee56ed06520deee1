"""What a run leaves behind: predictions, maps, scores."""
