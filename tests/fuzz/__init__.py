"""Fuzzing: `python -m tests.fuzz --minutes 10`. See __main__.py. Findings are in corpus/, and the tests replay them."""
