"""Networks and the line: a card says what a graph wants, a network runs it, remove.py reads as the line."""
