"""Measurements: ratios against a baseline in the same run, alternating. `docs/benchmarks.md` keeps the tables."""
