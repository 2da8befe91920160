"""Capacity on paper: `python -m evaluation.capacity`. How many replicas, at what cost, for how many pictures a second.

measure.py measures (the pipeline's times, and a service of one and of two replicas under load), simulate.py is the
service as a simulation, validate.py holds one against the other, plan.py asks it what has not been built yet.
"""
