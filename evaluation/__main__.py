"""`python -m evaluation`: see run.py."""

from evaluation.run import main

main()
