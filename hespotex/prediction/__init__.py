"""Slides and other data sets, by one trained model or several."""
