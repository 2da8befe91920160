"""The async shell around the line: settings, accounts, admission, results. Knows no web framework and no vendor."""
