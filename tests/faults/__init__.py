"""Proofs that the service outlives faults and abuse: `python -m tests.faults` prints a table, pytest runs the same."""
