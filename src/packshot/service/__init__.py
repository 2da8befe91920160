"""The async shell around the pipeline: settings, accounts, admission, results. Knows no web framework and no vendor."""
