"""Benchmarks: `python -m bench`. Figures are medians of one run on one machine; compare within a run only."""
