"""Fuzzing: `python -m tests.fuzz --minutes 10`. See __main__.py; what was found lies in corpus/ and is replayed."""
