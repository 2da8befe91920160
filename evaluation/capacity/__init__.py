"""Capacity planning: `python -m evaluation.capacity`. Computes replicas and cost for a number of pictures a second.

measure.py measures the pipeline's times, and a service of one and of two replicas under load. simulate.py simulates
the service. validate.py compares both, and plan.py simulates larger services.
"""
