"""What Space Ranger writes."""
