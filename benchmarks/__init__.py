"""Measurements: ratios against a baseline in the same run, alternating; see `docs/benchmarks.md`."""
