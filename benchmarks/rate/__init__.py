"""Learning-rate finders side by side: `python -m benchmarks.rate`."""
