"""How good a network is, measured on the very line that serves: `python -m evaluation`, and sheets to look at."""
