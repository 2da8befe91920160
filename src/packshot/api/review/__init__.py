"""The review of batches over HTTP: its page, its endpoints, and the server of `packshot review`."""
