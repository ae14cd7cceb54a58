"""Measurements of this code against named baselines: `python -m benchmarks`."""
