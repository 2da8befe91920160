"""Proofs that the service survives faults and abuse: `python -m tests.faults` prints a table, pytest runs the same
proofs.
"""
