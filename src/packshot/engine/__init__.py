"""Networks and the pipeline: a card says what a graph wants, a network runs it, pipeline.py lists every step."""
