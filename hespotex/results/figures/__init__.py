"""Figures of sections."""
