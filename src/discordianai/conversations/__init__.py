"""The rolling conversation store."""
