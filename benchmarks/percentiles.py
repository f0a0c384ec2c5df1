"""Percentiles, alike in every table."""


def percentile(values: list[float], part: float) -> float:
    """Of a list that is not empty; `part` is from 0 to 1."""
    return sorted(values)[min(int(len(values) * part), len(values) - 1)]
