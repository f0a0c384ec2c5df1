"""Moves between engines."""
