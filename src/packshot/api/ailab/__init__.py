"""The drop-in contract of the vendor whose API packshot replaces: its doors, its envelope, its error codes."""
