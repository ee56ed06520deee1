"""Arithmetic that several rooms do: each kind once."""
