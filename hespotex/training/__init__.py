"""One run, from config to scores."""
