"""Networks and the pipeline. A card describes a graph, a network runs it, and pipeline.py lists every step."""
