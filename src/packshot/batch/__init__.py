"""Batches: photos from one folder or bucket to packshots in another, with a journal and a report."""
