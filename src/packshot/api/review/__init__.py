"""The review of batches over HTTP: the page, its endpoints, and the server of `packshot review`."""
