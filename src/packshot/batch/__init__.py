"""A whole catalogue: photos from a folder or a bucket, packshots into another, with a journal and a report."""
