"""Moves everything that is stored into a database of another engine, exactly, and tells how exactly."""
